"""Of each service a schema and three roles, and nothing that reaches beyond them."""

import secrets
from collections.abc import AsyncIterator, Mapping

import asyncpg
import pytest

from deploy.local.postgres_server import PostgresServer
from deploy.postgres.roles import (
    DATABASE,
    LOGINS,
    SERVICES,
    WrongEncoding,
    database_url,
    provision_database,
)
from tests.support.database_urls import DatabaseUrls


@pytest.fixture
async def admin(
    database_urls: Mapping[str, DatabaseUrls],
) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """The superuser in the provisioned database; what it does there is rolled back."""
    connection = await asyncpg.connect(database_urls["threads"].admin)
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


async def refused(url: str, statement: str) -> bool:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return True
    finally:
        await connection.close()
    return False


@pytest.mark.parametrize("service", SERVICES)
async def test_no_login_reaches_another_services_schema(
    admin: "asyncpg.Connection[asyncpg.Record]", service: str
) -> None:
    reaching = await admin.fetch(
        """SELECT rolname FROM pg_roles WHERE rolcanlogin AND NOT rolsuper
           AND has_schema_privilege(rolname, $1, 'USAGE') ORDER BY rolname""",
        service,
    )
    assert [row["rolname"] for row in reaching] == [f"{service}_app", f"{service}_worker"]


@pytest.mark.parametrize("kind", ["app", "worker"])
async def test_login_makes_nothing_of_its_own(
    database_urls: Mapping[str, DatabaseUrls], kind: str
) -> None:
    url = getattr(database_urls["nova"], kind)
    for statement in (
        "CREATE TABLE nova.mine ()",
        "CREATE TABLE public.mine ()",
        "CREATE TEMPORARY TABLE mine ()",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "SET ROLE nova_owner",
        "SELECT pg_read_file('/etc/passwd')",
    ):
        assert await refused(url, statement), statement


async def test_no_login_goes_round_row_level_security(
    admin: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    mighty = await admin.fetch(
        """SELECT rolname FROM pg_roles WHERE rolname ~ '_(owner|app|worker)$'
           AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)"""
    )
    assert mighty == []


async def test_owner_cannot_log_in(postgres_server: PostgresServer) -> None:
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await asyncpg.connect(postgres_server.url("threads_owner", "any"))


async def test_who_migrates_acts_as_the_owner(
    admin: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    await admin.execute("SET LOCAL ROLE threads_owner; CREATE TABLE threads.made ()")
    owner = await admin.fetchval("SELECT tableowner FROM pg_tables WHERE tablename = 'made'")
    assert owner == "threads_owner"


async def test_functions_of_an_owner_are_closed_until_granted(
    admin: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    await admin.execute(
        """SET LOCAL ROLE threads_owner;
           CREATE FUNCTION threads.helper() RETURNS int LANGUAGE sql RETURN 1;
           SET LOCAL ROLE threads_app"""
    )
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await admin.fetchval("SELECT threads.helper()")


async def test_provisioning_again_sets_new_passwords_and_keeps_the_rest(
    postgres_server: PostgresServer,
) -> None:
    database = f"again_{secrets.token_hex(4)}"
    # Roles are the whole server's, so the other tests' passwords must be put back.
    admin = await asyncpg.connect(postgres_server.admin_url)
    kept = await admin.fetch("SELECT rolname, rolpassword FROM pg_authid WHERE rolcanlogin")
    first = {login: secrets.token_urlsafe() for login in LOGINS}
    second = first | {"threads_app": 'it\'s; 100 %s \\ "quoted"'}
    try:
        await provision_database(postgres_server.admin_url, first, database=database)
        made = await asyncpg.connect(database_url(postgres_server.admin_url, database))
        await made.execute("SET ROLE threads_owner; CREATE TABLE threads.kept ()")
        await made.close()

        await provision_database(postgres_server.admin_url, second, database=database)

        url = postgres_server.url("threads_app", second["threads_app"], database=database)
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT to_regclass('threads.kept') IS NOT NULL")
        await connection.close()
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(
                postgres_server.url("threads_app", first["threads_app"], database=database)
            )
    finally:
        for role, password in kept:
            await admin.execute(f"ALTER ROLE {role} PASSWORD '{password}'")
        await admin.execute(f"DROP DATABASE {database}")
        await admin.close()


def test_database_url_keeps_user_and_server() -> None:
    url = "postgresql://user:p%40ss@127.0.0.1:5432/postgres"
    assert database_url(url) == f"postgresql://user:p%40ss@127.0.0.1:5432/{DATABASE}"


async def test_the_database_is_made_for_every_text_whatever_the_server_was_made_for(
    admin: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    made = await admin.fetchrow(
        "SELECT pg_encoding_to_char(encoding) AS encoding, datlocprovider, datlocale"
        " FROM pg_database WHERE datname = current_database()"
    )
    assert made
    assert tuple(made) == ("UTF8", b"b", "C.UTF-8")


@pytest.mark.usefixtures("database_urls")
async def test_a_database_that_cannot_hold_every_text_is_refused_and_left_alone(
    postgres_server: PostgresServer,
) -> None:
    database = f"ascii_{secrets.token_hex(4)}"
    server = await asyncpg.connect(postgres_server.admin_url)
    await server.execute(
        f"CREATE DATABASE {database} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'"
    )
    try:
        with pytest.raises(WrongEncoding, match="encoded as SQL_ASCII; make it anew as UTF8"):
            await provision_database(postgres_server.admin_url, {}, database=database)
        made = await asyncpg.connect(database_url(postgres_server.admin_url, database))
        assert not await made.fetchval("SELECT to_regnamespace('threads')::text")
        await made.close()
    finally:
        await server.execute(f"DROP DATABASE {database}")
        await server.close()
