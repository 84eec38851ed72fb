"""The schema as the migrations make it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

from deploy.postgres.roles import LOGINS, database_url, provision_database
from kernel.migration import check, downgrade, upgrade
from tests.support.database_urls import DatabaseUrls


async def test_the_tables_are_what_the_migrations_make(urls: DatabaseUrls, service: Any) -> None:
    assert await check("governance", urls.admin) == []


async def test_the_migrations_go_back_and_forth(
    postgres: str, database_urls: Mapping[str, DatabaseUrls]
) -> None:
    # Roles belong to the whole server, so they keep the passwords that they have.
    passwords = {}
    for login in LOGINS:
        service, _, role = login.rpartition("_")
        passwords[login] = urlsplit(getattr(database_urls[service], role)).password or ""
    database = f"chenu_{uuid4().hex}"
    await provision_database(postgres, passwords, database=database)
    try:
        url = database_url(postgres, database)
        await upgrade("governance", url)
        await downgrade("governance", url, "base")
        await upgrade("governance", url)
        assert await check("governance", url) == []
    finally:
        connection = await asyncpg.connect(postgres)
        await connection.execute(f"DROP DATABASE {database} WITH (FORCE)")
        await connection.close()
