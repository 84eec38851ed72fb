from collections.abc import Mapping
from urllib.parse import urlsplit

import asyncpg
import pytest

from deploy.postgres.roles import database_url, provision_database
from kernel.migration import check, downgrade, upgrade
from tests.support.database_urls import DatabaseUrls

DATABASE = "courier_migrations"


@pytest.fixture
async def admin_url(postgres: str, database_urls: Mapping[str, DatabaseUrls]) -> str:
    """A database of its own, since going back takes everything away."""
    passwords = {
        f"{service}_{role}": str(urlsplit(getattr(urls, role)).password)
        for service, urls in database_urls.items()
        for role in ("app", "worker")
    }
    await provision_database(postgres, passwords, database=DATABASE)
    return database_url(postgres, DATABASE)


async def test_the_tables_are_what_the_scripts_make(urls: DatabaseUrls) -> None:
    assert await check("courier", urls.admin) == []


async def test_the_scripts_can_be_taken_back_and_run_again(admin_url: str) -> None:
    await upgrade("courier", admin_url)
    await downgrade("courier", admin_url, "base")

    connection = await asyncpg.connect(admin_url)
    left = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'courier'::regnamespace"
        " AND relkind = 'r' AND relname <> 'alembic_version'"
        " UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'courier'::regnamespace"
    )
    await connection.close()
    assert left == []
    await upgrade("courier", admin_url)
    assert await check("courier", admin_url) == []
