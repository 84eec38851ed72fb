"""One Alembic set-up for every service; scripts lie in `services/<name>/migrations/`.

    await upgrade("threads", admin_url)             # to the newest, as role threads_owner
    await downgrade("threads", admin_url, "0001")
    differences = await check("threads", admin_url)  # empty: tables.py and database agree

A script is `NNNN_words.py`, its revision "NNNN"; it uses `alembic.op` and
`kernel.migration.helpers`. Roles and schema are there before
(`deploy.postgres.roles`). A serving process never migrates.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeVar

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, make_url, text
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from kernel.outbox import Xid8

T = TypeVar("T")
_LOCK: Final = 0x6D696772
# A migration that waits for a lock makes everybody behind it wait too: rather fail soon.
_SESSION: Final = """
    SELECT pg_advisory_lock(:lock, hashtext(:service)),
        set_config('lock_timeout', '4s', false), set_config('statement_timeout', '300s', false),
        set_config('role', :owner, false)"""


async def upgrade(
    service: str, admin_url: str, revision: str = "head", *, package: str = "services"
) -> None:
    """Bring the service's schema to a revision; what is applied stays applied."""
    config = _config(service, package)
    await _as_owner(service, admin_url, lambda c: _run(config, c, command.upgrade, revision))


async def downgrade(
    service: str, admin_url: str, revision: str, *, package: str = "services"
) -> None:
    """Take the schema back to a revision, "base" for nothing at all."""
    config = _config(service, package)
    await _as_owner(service, admin_url, lambda c: _run(config, c, command.downgrade, revision))


async def check(service: str, admin_url: str, *, package: str = "services") -> list[str]:
    """What differs between the newest script, `tables.metadata` and the database."""
    config = _config(service, package)
    head = ScriptDirectory.from_config(config).get_current_head()
    metadata: MetaData = import_module(f"{package}.{service}.tables").metadata
    options = _options(service)

    def compare(connection: Connection) -> list[str]:
        ischema_names.setdefault("xid8", Xid8)
        context = MigrationContext.configure(connection, opts=options)
        current = context.get_current_revision()
        behind = [] if current == head else [f"the schema is at {current}, the scripts at {head}"]
        return behind + [str(difference) for difference in compare_metadata(context, metadata)]

    return await _as_owner(service, admin_url, compare)


def _config(service: str, package: str) -> Config:
    home = Path(str(import_module(f"{package}.{service}").__file__)).parent
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("version_locations", str(home / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.attributes["options"] = _options(service)
    return config


def _options(service: str) -> dict[str, Any]:
    def mine(name: str | None, kind: str, _: object) -> bool:
        return name == service if kind == "schema" else name != "alembic_version"

    return {
        "version_table_schema": service,
        "include_schemas": True,
        "include_name": mine,
        "transaction_per_migration": True,
    }


def _run(config: Config, connection: Connection, run: Callable[..., None], revision: str) -> None:
    config.attributes["connection"] = connection
    run(config, revision)


async def _as_owner(service: str, admin_url: str, work: Callable[[Connection], T]) -> T:
    url = make_url(admin_url).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            parameters = {"lock": _LOCK, "service": service, "owner": f"{service}_owner"}
            await connection.execute(text(_SESSION), parameters)
            await connection.commit()
            return await connection.run_sync(work)
    finally:
        await engine.dispose()
