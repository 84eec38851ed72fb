"""The database, and of each service one schema and three roles.

| role | logs in | may |
|---|---|---|
| `<service>_owner` | no | owns the schema and everything in it; migrations act as it |
| `<service>_app` | yes | what the service's policies grant a caller's identity |
| `<service>_worker` | yes | queues and outbox, without any identity |

No role sees another service's schema, and PUBLIC sees nothing at all. Running
it again changes nothing but the passwords.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

import asyncpg

DATABASE = "chenu"
SERVICES = ("identity", "threads", "governance", "audit", "nova", "llm", "courier")
LOGINS = tuple(f"{service}_{kind}" for service in SERVICES for kind in ("app", "worker"))
# Two provisionings at once would trip over each other's CREATE ROLE.
PROVISIONING_LOCK = 0x6368656E75

# Every text that people write, and one order of texts, whatever the server was made with.
CREATE_DATABASE = """
CREATE DATABASE {database} TEMPLATE template0 ENCODING 'UTF8'
    LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'
"""

CREATE_ROLE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
        CREATE ROLE {role};
    END IF;
END $$;
ALTER ROLE {role} {login} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
"""

CLOSE_TO_PUBLIC = """
REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON DATABASE {database} FROM PUBLIC;
"""

# Who migrates becomes the owner (SET) but has none of its rights otherwise (INHERIT).
SERVICE = """
GRANT {service}_owner TO CURRENT_USER WITH SET TRUE, INHERIT FALSE;
CREATE SCHEMA IF NOT EXISTS {service} AUTHORIZATION {service}_owner;
REVOKE ALL ON SCHEMA {service} FROM PUBLIC;
GRANT USAGE ON SCHEMA {service} TO {service}_app, {service}_worker;
GRANT CONNECT ON DATABASE {database} TO {service}_app, {service}_worker;
ALTER ROLE {service}_app IN DATABASE {database} SET search_path = {service};
ALTER ROLE {service}_worker IN DATABASE {database} SET search_path = {service};
SET LOCAL ROLE {service}_owner;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON ROUTINES FROM PUBLIC;
RESET ROLE;
"""


class WrongEncoding(Exception):
    """A database that somebody else made, and that cannot hold every text."""

    def __init__(self, database: str, encoding: str) -> None:
        super().__init__(
            f"the database {database} is encoded as {encoding}; make it anew as UTF8, or give the"
            " name of one that does not exist yet"
        )


async def provision_database(
    admin_url: str, passwords: Mapping[str, str], *, database: str = DATABASE
) -> None:
    """Makes database, roles and schemas as the user of `admin_url`.

    `passwords` holds one for each of LOGINS that is not there yet; a missing one is a KeyError
    before anything is changed. A login that is there gets the one that is given, or keeps its own.
    Raises WrongEncoding for a database that is there and not in UTF-8.
    """
    server = await asyncpg.connect(admin_url)
    try:
        await server.execute("SELECT pg_advisory_lock($1)", PROVISIONING_LOCK)
        needed = await _missing(server)
        given = {login: passwords[login] for login in LOGINS if login in {*needed, *passwords}}
        if not await server.fetchval("SELECT true FROM pg_database WHERE datname = $1", database):
            await server.execute(CREATE_DATABASE.format(database=database))
        await _provision(database_url(admin_url, database), given, database)
    finally:
        await server.close()  # and so lets go of the lock


async def missing_logins(admin_url: str) -> list[str]:
    """Those of LOGINS that the server does not know."""
    server = await asyncpg.connect(admin_url)
    try:
        return await _missing(server)
    finally:
        await server.close()


async def _missing(server: "asyncpg.Connection[asyncpg.Record]") -> list[str]:
    there = {row["rolname"] for row in await server.fetch("SELECT rolname FROM pg_roles")}
    return [login for login in LOGINS if login not in there]


async def _provision(url: str, passwords: Mapping[str, str], database: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        if (encoding := await connection.fetchval("SHOW server_encoding")) != "UTF8":
            raise WrongEncoding(database, encoding)
        async with connection.transaction():
            await connection.execute(CLOSE_TO_PUBLIC.format(database=database))
            for service in SERVICES:
                await connection.execute(
                    CREATE_ROLE.format(role=f"{service}_owner", login="NOLOGIN")
                )
                for login in (f"{service}_app", f"{service}_worker"):
                    await connection.execute(CREATE_ROLE.format(role=login, login="LOGIN"))
                    if login in passwords:
                        await _set_password(connection, login, passwords[login])
                await connection.execute(SERVICE.format(service=service, database=database))
    finally:
        await connection.close()


async def _set_password(
    connection: "asyncpg.Connection[asyncpg.Record]", role: str, password: str
) -> None:
    """Sets it by a statement that the server itself has quoted."""
    statement = await connection.fetchval(
        "SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)", role, password
    )
    await connection.execute(statement)


def database_url(admin_url: str, database: str = DATABASE) -> str:
    """The same server and user, at another database."""
    return urlunsplit(urlsplit(admin_url)._replace(path=f"/{database}"))
