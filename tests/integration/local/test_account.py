"""Under whose account PostgreSQL runs: it refuses root, and we may be root."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.local import account
from deploy.local.errors import FolderUnusable, RootRefused
from deploy.local.postgres_server import PostgresServer

IS_ROOT = os.geteuid() == 0


@pytest.fixture
def refused_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "namespaces_work", lambda _: False)


async def answer(server: PostgresServer) -> object:
    connection = await asyncpg.connect(server.admin_url)
    try:
        return await connection.fetchval("SELECT 1")
    finally:
        await connection.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    """A server in a folder that other users cannot enter."""
    server = PostgresServer(tmp_path / "postgres", tmp_path / "log")
    yield server
    server.stop()


@pytest.mark.usefixtures("refused_namespaces")
async def test_without_namespaces_it_runs_as_another_user_who_keeps_the_data(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.start()
    owner = (server.folder / "data").stat().st_uid
    assert await answer(server) == 1
    assert owner == (account.ordinary_user().pw_uid if IS_ROOT else os.getuid())
    server.stop()

    # What ran as that user goes on so, although namespaces would do by now.
    monkeypatch.setattr(account, "namespaces_work", lambda _: True)
    server.start()
    assert await answer(server) == 1
    assert (server.folder / "data").stat().st_uid == owner


async def test_what_ran_in_a_namespace_moves_to_another_user_when_it_must(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.start()
    server.stop()
    monkeypatch.setattr(account, "namespaces_work", lambda _: False)
    server.start()
    assert await answer(server) == 1


def test_folder_that_the_account_cannot_reach_is_named(
    server: PostgresServer, tmp_path: Path
) -> None:
    absent = tmp_path / "absent"
    done = account.run_as(account.SELF, [sys.executable], needs=[absent])
    assert done.returncode != 0
    failure = server.failure(done.stdout.strip())
    assert isinstance(failure, FolderUnusable)
    assert f"user {os.getuid()} cannot reach {absent}" in str(failure)
    assert "choose another state folder" in str(failure)


def test_root_alone_on_a_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pwd.getpwall", list)
    with pytest.raises(RootRefused, match="no other user"):
        account.ordinary_user()


def test_who_is_not_root_runs_it_as_himself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert account.choose(tmp_path) == account.SELF
