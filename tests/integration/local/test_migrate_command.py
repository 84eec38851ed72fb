"""`chenu migrate upgrade` on a server that knows nothing of CHE·NU, and what it says otherwise."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from deploy.local.postgres_server import PostgresServer
from deploy.postgres.roles import LOGINS, database_url, provision_database
from kernel.settings import load
from services.nova.settings import NovaSettings
from services.threads.settings import ThreadsSettings

GIVEN = "a-word-of-ones-own"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL as a newcomer has it."""
    folder = tmp_path_factory.mktemp("newcomer")
    started = PostgresServer(folder / "postgres", folder / "postgres.log")
    started.start()
    yield started
    started.stop()


def migrate(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["migrate", *words, "--state", str(folder)])


async def who(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval("SELECT current_user"))
    finally:
        await connection.close()


async def a_stranger(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE ROLE stranger LOGIN PASSWORD 'some'")
    await connection.close()


def test_who_may_not_make_roles_is_told_who_may(server: PostgresServer, tmp_path: Path) -> None:
    asyncio.run(a_stranger(server.admin_url))
    answer = migrate(tmp_path, "upgrade", "--database-url", server.url("stranger", "some"))
    assert answer.exit_code == 1
    assert "superuser" in answer.stderr


def test_a_missing_password_is_found_before_anything_changes(server: PostgresServer) -> None:
    words = {login: "x" for login in LOGINS if login != "courier_worker"}
    with pytest.raises(KeyError, match="courier_worker"):
        asyncio.run(provision_database(server.admin_url, words))
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        asyncio.run(who(database_url(server.admin_url)))


def test_an_empty_server_needs_one_command_and_a_second_one_changes_nothing(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = database_url(server.admin_url)
    novas = server.url("nova_app", GIVEN)
    monkeypatch.setenv("CHENU_NOVA_DATABASE_URL", novas)
    monkeypatch.setenv("CHENU_ADMIN_DATABASE_URL", url)
    before = migrate(tmp_path, "check", "nova")
    assert before.exit_code == 1
    assert "chenu migrate upgrade" in before.stderr

    for _ in range(2):
        done = migrate(tmp_path, "upgrade", "-o", "json")
        assert done.exit_code == 0, done.output
        assert set(json.loads(done.stdout).values()) == {"upgraded"}
        monkeypatch.setenv("CHENU_SECRETS_DIR", str(tmp_path / "secrets" / "threads"))
        (threads,) = load(ThreadsSettings)
        assert asyncio.run(who(threads.database_url)) == "threads_app"
        assert asyncio.run(who(threads.worker_database_url)) == "threads_worker"
        monkeypatch.setenv("CHENU_SECRETS_DIR", str(tmp_path / "secrets" / "nova"))
        (nova,) = load(NovaSettings)
        assert nova.database_url == novas
        assert asyncio.run(who(novas)) == "nova_app"
    written = list((tmp_path / "secrets").rglob("chenu_*"))
    assert len(written) == 13, "all logins but the one whose password was given"
    assert all(path.stat().st_mode & 0o077 == 0 for path in written)
    assert migrate(tmp_path, "check").exit_code == 0


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("nonsense", 2, "postgresql://postgres"),
        ("https://example.org/chenu", 2, "postgresql://postgres"),
        ("postgresql://postgres@127.0.0.1:1/chenu", 1, "127.0.0.1"),
    ],
)
def test_a_url_that_leads_nowhere_is_told_in_words(
    tmp_path: Path, url: str, code: int, said: str
) -> None:
    answer = migrate(tmp_path, "upgrade", "--database-url", url)
    assert answer.exit_code == code, answer.output
    assert said in answer.stderr
    assert not (tmp_path / "secrets").exists()
