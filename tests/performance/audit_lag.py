"""How long a committed change waits for its place in the log: answer → covered by a tree head."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

import asyncpg

from chenu.audit.v1.log_service_pb2 import GetInclusionProofRequest
from chenu.audit.v1.log_service_pb2_grpc import LogServiceStub
from tests.performance.generator import Cell
from tests.performance.people import Person
from tests.performance.work import create_thread

_POLL_SECONDS: Final = 0.002
_PATIENCE_SECONDS: Final = 30.0
_BETWEEN_SECONDS: Final = 0.1
# An entry is visible with the tree head that covers it: they are of one transaction.
_ENTRY: Final = "SELECT index FROM audit.entries WHERE subject = $1 ORDER BY index LIMIT 1"


async def audit_lag(
    name: str, addresses: Mapping[str, str], admin_url: str, seconds: float
) -> Cell:
    """Found a thread now and then, and wait until its event can be proved."""
    person = await Person.register(addresses)
    connection = await asyncpg.connect(admin_url)
    log: Any = person.stub(LogServiceStub, "audit")
    latencies: list[float] = []
    missing = 0
    end = time.perf_counter() + seconds
    try:
        while time.perf_counter() < end:
            thread_id = await create_thread(person, "Probe")
            answered = time.perf_counter()
            index = await _entry(connection, f"thread/{thread_id}", answered + _PATIENCE_SECONDS)
            if index is None:
                missing += 1
                continue
            latencies.append((time.perf_counter() - answered) * 1000)
            await log.GetInclusionProof(GetInclusionProofRequest(index=index), metadata=person.me)
            await asyncio.sleep(_BETWEEN_SECONDS)
    finally:
        await connection.close()
        await person.close()
    failures = {"not in the log after 30 s": missing} if missing else {}
    return Cell(name, 1, 0.0, sorted(latencies), seconds, len(latencies), failures)


async def _entry(connection: Any, subject: str, until: float) -> int | None:
    while time.perf_counter() < until:
        index: int | None = await connection.fetchval(_ENTRY, subject)
        if index is not None:
            return index
        await asyncio.sleep(_POLL_SECONDS)
    return None
