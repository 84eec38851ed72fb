"""What tests do with the notes of the sample service."""

from sqlalchemy import bindparam, insert, select

from kernel.caller import Caller
from kernel.context import new_id
from kernel.database import Database
from kernel.statement import Statement
from tests.integration.kernel.services.sample.tables import notes

ADD = Statement(
    insert(notes)
    .values(
        id=bindparam("id"),
        tenant=bindparam("tenant"),
        identity=bindparam("identity"),
        title=bindparam("title"),
        facts=bindparam("facts"),
        tags=bindparam("tags"),
    )
    .returning(notes.c.id, notes.c.facts, notes.c.tags)
)
ALL = Statement(select(notes.c.id, notes.c.title))
SLEEP = Statement("SELECT pg_sleep(:seconds)")


async def add(database: Database, caller: Caller, title: str = "a note") -> str:
    note = new_id()
    async with database.transaction(caller) as tx:
        await tx.fetch_one(
            ADD, id=note, tenant=caller.tenant, identity=caller.identity, title=title,
            facts={"n": 1}, tags=["a"],
        )  # fmt: skip
    return note


async def titles(database: Database, caller: Caller) -> list[str]:
    async with database.transaction(caller) as tx:
        return [row["title"] for row in await tx.fetch(ALL)]
