"""Migrations: upgrade, compare, downgrade, each on a database of its own."""

import asyncpg
import pytest

from deploy.local.postgres_server import PostgresServer
from kernel import migration
from kernel.migration import check, downgrade, upgrade
from tests.integration.kernel.conftest import PACKAGE, provision


async def test_the_schema_comes_up_agrees_with_the_tables_and_goes_down(
    postgres_server: PostgresServer,
) -> None:
    urls = await provision(postgres_server, "kernel_migration_test")
    assert await check("sample", urls.admin, package=PACKAGE) != []
    await upgrade("sample", urls.admin, package=PACKAGE)
    await upgrade("sample", urls.admin, package=PACKAGE)
    assert await check("sample", urls.admin, package=PACKAGE) == []
    await downgrade("sample", urls.admin, "base", package=PACKAGE)
    connection = await asyncpg.connect(urls.admin)
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'sample'")
    owner = await connection.fetchval(
        "SELECT tableowner FROM pg_tables WHERE schemaname = 'sample'"
    )
    await connection.close()
    assert [t["tablename"] for t in tables] == ["alembic_version"]
    assert owner == "sample_owner"


async def test_a_column_that_the_database_lacks_is_told(postgres_server: PostgresServer) -> None:
    urls = await provision(postgres_server, "kernel_check_test")
    await upgrade("sample", urls.admin, package=PACKAGE)
    connection = await asyncpg.connect(urls.admin)
    await connection.execute("ALTER TABLE sample.notes DROP COLUMN title")
    await connection.close()
    differences = await check("sample", urls.admin, package=PACKAGE)
    assert len(differences) == 1
    assert "title" in differences[0]


async def test_a_migration_that_cannot_get_its_lock_gives_up_soon(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "'4s'" in migration._SESSION
    monkeypatch.setattr(migration, "_SESSION", migration._SESSION.replace("'4s'", "'0.2s'"))
    urls = await provision(postgres_server, "kernel_lock_test")
    await upgrade("sample", urls.admin, package=PACKAGE)
    connection = await asyncpg.connect(urls.admin)
    async with connection.transaction():
        await connection.execute("LOCK TABLE sample.notes IN ACCESS SHARE MODE")
        with pytest.raises(Exception, match="lock timeout"):
            await downgrade("sample", urls.admin, "base", package=PACKAGE)
    await connection.close()
