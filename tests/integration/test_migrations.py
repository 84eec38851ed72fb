"""Each service's scripts make its tables, and can be taken back and run again."""

from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from deploy.postgres.roles import LOGINS, SERVICES, database_url, provision_database
from kernel.migration import check, downgrade, upgrade
from tests.support.database_urls import DatabaseUrls


@pytest.fixture(scope="module")
async def admin_url(postgres: str, database_urls: Mapping[str, DatabaseUrls]) -> AsyncIterator[str]:
    """A database of its own, since going back takes everything away."""
    # Roles belong to the whole server, so they keep the passwords that they have.
    passwords = {}
    for login in LOGINS:
        service, _, role = login.rpartition("_")
        passwords[login] = str(urlsplit(getattr(database_urls[service], role)).password)
    database = f"chenu_{uuid4().hex}"
    await provision_database(postgres, passwords, database=database)
    yield database_url(postgres, database)
    connection = await asyncpg.connect(postgres)
    await connection.execute(f"DROP DATABASE {database} WITH (FORCE)")
    await connection.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_the_scripts_can_be_taken_back_and_run_again(admin_url: str, service: str) -> None:
    await upgrade(service, admin_url)
    await downgrade(service, admin_url, "base")

    connection = await asyncpg.connect(admin_url)
    left = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = $1::text::regnamespace"
        " AND relkind = 'r' AND relname <> 'alembic_version'"
        " UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = $1::text::regnamespace",
        service,
    )
    await connection.close()
    assert left == []

    await upgrade(service, admin_url)
    assert await check(service, admin_url) == []
