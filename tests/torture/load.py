"""People who change things without end, and who remember what they were told had happened."""

import asyncio
from typing import Any, Final, Self
from uuid import uuid4

import asyncpg
import grpc

from deploy.postgres.roles import SERVICES, database_url
from tests.faults.proof import the_log_verifies
from tests.faults.stage import Stage
from tests.laws.log import UNLOGGED, all_logged
from tests.support.fleet import Client

_WRITERS: Final = 8
_UNKNOWN: Final = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
)


async def _missing(superuser: Any) -> str:
    """How many events of each service are not in the log."""
    counts = {}
    for service in SERVICES:
        sql = UNLOGGED.format(service=service).replace("$1", "9e18::bigint")
        counts[service] = len(await superuser.fetch(sql))
    return f"not in the log: { {name: n for name, n in counts.items() if n} }"


class Load:
    """Writers that found threads, each under a request id that they repeat until it is answered."""

    def __init__(self, stage: Stage, me: Client) -> None:
        self._stage, self._me = stage, me
        self.acknowledged: dict[str, str] = {}
        """Thread ids by the titles that they were founded with."""
        self.refused = 0
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._write()) for _ in range(_WRITERS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def _write(self) -> None:
        while not self._stopping:
            title = str(uuid4())
            await self._found(title, str(uuid4()))
            await asyncio.sleep(0.01)

    async def _found(self, title: str, request_id: str) -> None:
        while True:
            try:
                thread = await self._me.new_thread(title, request_id=request_id)
            except grpc.aio.AioRpcError as error:
                if error.code() not in _UNKNOWN:
                    raise
                self.refused += 1
                await asyncio.sleep(0.2)
            except (asyncio.CancelledError, grpc.aio.UsageError):
                # Its channel was closed with the service; nobody cancels a writer.
                await asyncio.sleep(0.2)
            else:
                self.acknowledged[title] = thread
                return

    async def nothing_is_lost_or_doubled(self, seconds: float = 120) -> dict[str, int]:
        """Compare what was acknowledged with the tables, and the tables with the verified log."""
        url = database_url(self._stage.backends.postgres.admin_url)
        superuser: Any = await asyncpg.connect(url)
        try:
            rows = await superuser.fetch(
                "SELECT title, thread_id::text AS id FROM threads.threads"
                " WHERE owner_identity = $1",
                self._me.identity_id,
            )
            found = {row["title"]: row["id"] for row in rows}
            lost = {t for t, i in self.acknowledged.items() if found.get(t) != i}
            doubled = len(rows) - len(found)
            # Every event of every outbox stands in the log once; no stream has a gap.
            try:
                await all_logged(superuser, seconds)
            except AssertionError as problem:
                raise AssertionError(f"{problem}; {await _missing(superuser)}") from None
            created = await superuser.fetchval(
                "SELECT count(*) FROM audit.entries WHERE type = 'chenu.threads.thread.created'"
                " AND identity = $1",
                self._me.identity_id,
            )
        finally:
            await superuser.close()
        await the_log_verifies(self._stage, self._me)
        assert not lost, f"{len(lost)} acknowledged changes are lost"
        assert doubled == 0, f"{doubled} effects are doubled"
        assert created == len(rows), f"{len(rows)} effects, {created} records"
        return {"acknowledged": len(self.acknowledged), "lost": 0, "doubled": 0, "gaps": 0}
