"""Where the parts of a local stack listen."""

import socket

from deploy.local.ports import DEFAULT_PORTS, ROW, Ports


def test_the_usual_ports_are_those_of_the_documentation() -> None:
    ports = Ports.choose(None)
    assert ports.services["identity"] == 50050
    assert ports.services["gateway"] == 8080
    assert (ports.postgres, ports.nats) == (0, 0)  # any free ones: nobody types them


def test_a_row_of_ports_holds_everything_once() -> None:
    ports = Ports.choose(51000)
    used = list(ports.named().values())
    assert len(used) == len(set(used)) == len(DEFAULT_PORTS) + 4
    assert min(used) == 51000
    assert max(used) < 51000 + ROW


def test_two_rows_side_by_side_do_not_meet() -> None:
    first, second = (set(Ports.choose(start).named().values()) for start in (51000, 51000 + ROW))
    assert not first & second


def test_free_ports_are_different_ones() -> None:
    used = [port for port in Ports.choose(0).named().values() if port]
    assert len(used) == len(set(used)) == len(DEFAULT_PORTS) + 2


def test_free_ports_are_none_that_an_outgoing_connection_may_take() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        outgoing = [socket.create_connection(server.getsockname()) for _ in range(20)]
        ephemeral = [connection.getsockname()[1] for connection in outgoing]
        for connection in outgoing:
            connection.close()
    used = [port for port in Ports.choose(0).named().values() if port]
    assert max(used) < min(ephemeral)
