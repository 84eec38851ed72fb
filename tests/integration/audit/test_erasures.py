"""An erasure is begun once, whoever asks for it at the same time."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg

from kernel.caller import Caller
from kernel.context import background
from kernel.database import Database
from kernel.service import Service
from services.audit.erasures import Erasures
from services.audit.settings import AuditSettings
from tests.support.identity import Person


class EndedMeanwhile:
    """A database in whose first transaction something happens before the third statement."""

    def __init__(self, database: Database, meanwhile: Callable[[], Awaitable[Any]]) -> None:
        self._database, self._meanwhile, self._asked = database, meanwhile, 0

    @asynccontextmanager
    async def transaction(self, caller: Caller) -> AsyncIterator[Any]:
        async with self._database.transaction(caller) as self._tx:
            yield self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    async def fetch_one(self, *asked: Any, **parameters: Any) -> Any:
        self._asked += 1
        if self._asked == 3:
            await self._meanwhile()
        return await self._tx.fetch_one(*asked, **parameters)


async def test_an_erasure_that_ends_while_it_is_asked_for_once_more_is_begun_anew(
    service: Service[AuditSettings], superuser: asyncpg.Connection
) -> None:
    owner, subject = Person(roles=("owner",)), str(uuid4())
    begun = (
        "INSERT INTO audit.erasures (tenant, identity, person, rule, records, remaining)"
        " VALUES ($1, $2, $3, 'gdpr-17', 0, '{}') RETURNING erasure_id::text"
    )
    earlier = await superuser.fetchval(begun, owner.tenant, owner.identity, subject)
    ended = (
        "UPDATE audit.erasures SET finish_time = clock_timestamp(), remaining = '{}',"
        " again_time = NULL WHERE erasure_id = $1"
    )
    database: Any = EndedMeanwhile(service.database, lambda: superuser.execute(ended, earlier))
    nobody: Any = None
    erasures = Erasures(database, service.worker, nobody, nobody, nobody)
    caller = Caller.system(tenant=owner.tenant, identity=owner.identity)
    with background("test", caller):
        anew = await erasures._begin(caller, subject, "gdpr-17")
    assert anew["erasure_id"] != earlier
    assert (anew["person"], anew["finish_time"]) == (subject, None)
    await superuser.execute(ended, anew["erasure_id"])  # nobody is to go on with it
