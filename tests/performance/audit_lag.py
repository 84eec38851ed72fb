"""How long the log takes: from an answer to its tree head, from a loss to its alert."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

import asyncpg

from chenu.audit.v1.log_service_pb2 import GetInclusionProofRequest
from chenu.audit.v1.log_service_pb2_grpc import LogServiceStub
from tests.performance.generator import Cell
from tests.performance.people import Person
from tests.performance.work import create_thread
from tests.support.identity import Person as Somebody
from tests.support.source import an_event

LOST: Final = "a lost event until its alert"
_LOSSES: Final = 5
_POLL_SECONDS: Final = 0.002
_PATIENCE_SECONDS: Final = 30.0
_BETWEEN_SECONDS: Final = 0.1
# An entry is visible with the tree head that covers it: they are of one transaction.
_ENTRY: Final = "SELECT index FROM audit.entries WHERE subject = $1 ORDER BY index LIMIT 1"
_RECORD: Final = (
    "INSERT INTO threads.outbox (id, stream, version, event)"
    " VALUES ($1::text::uuid, $2::text, 2, $3::bytea)"
)
_ALERT: Final = (
    "SELECT 1 FROM audit.alerts WHERE kind = 'VERSION_HOLE' AND subject = $1 AND close_time IS NULL"
)


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
            index = await _found(connection, _ENTRY, f"thread/{thread_id}")
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


async def alert_lag(admin_url: str) -> Cell:
    """Have a stream go on with its second event when its first was never told."""
    connection = await asyncpg.connect(admin_url)
    latencies = []
    try:
        for _ in range(_LOSSES):
            stream, event_id = f"thread/{uuid4()}", str(uuid4())
            second = an_event(Somebody(), id=event_id, subject=stream, stream=stream, version="2")
            await connection.execute(_RECORD, event_id, stream, second)
            committed = time.perf_counter()
            if await _found(connection, _ALERT, stream) is not None:
                latencies.append((time.perf_counter() - committed) * 1000)
    finally:
        await connection.close()
    missed = _LOSSES - len(latencies)
    failures = {"no alert after 30 s": missed} if missed else {}
    return Cell(LOST, 1, 0.0, sorted(latencies), sum(latencies) / 1000, len(latencies), failures)


async def _found(connection: Any, sql: str, what: str) -> int | None:
    until = time.perf_counter() + _PATIENCE_SECONDS
    while time.perf_counter() < until:
        found: int | None = await connection.fetchval(sql, what)
        if found is not None:
            return found
        await asyncio.sleep(_POLL_SECONDS)
    return None
