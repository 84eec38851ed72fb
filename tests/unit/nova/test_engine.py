"""A run that its worker drops, for whatever reason, is given back and taken up again."""

import asyncio
from typing import Any

import pytest

from chenu.nova.v1.run_pb2 import Run, RunState
from kernel.caller import Caller
from kernel.watching import Changes
from services.nova.engine import Engine
from services.nova.errors import LeaseLost
from services.nova.record import RunRecord

CALLER = Caller.system()


class Database:
    """One run's row as the leases see it: whose it is. The worker itself is alive all the time."""

    def __init__(self) -> None:
        self.owned, self.loads = True, 0
        self.unreadable = 0
        self.away = False

    async def abandon(self, _: str) -> None:
        self._reach()
        self.owned = False

    async def claim_orphans(self) -> list[tuple[Caller, str]]:
        self._reach()
        orphans = [] if self.owned else [(CALLER, "run")]
        self.owned = True
        return orphans

    async def claim_blocked(self, _: str) -> Caller | None:
        self._reach()
        return CALLER

    async def load(self, caller: Caller, run_id: str) -> RunRecord:
        self.loads += 1
        if self.loads <= self.unreadable:
            raise ConnectionResetError
        return RunRecord(Run(run_id=run_id), caller)

    def _reach(self) -> None:
        if self.away:
            raise ConnectionRefusedError


class Pipeline:
    """Fails in its turn, then succeeds."""

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)

    async def advance(self, record: RunRecord) -> None:
        if self._failures:
            raise self._failures.pop(0)
        record.run.state = RunState.RUN_STATE_SUCCEEDED


def an_engine(pipeline: Any, database: Any) -> Engine:
    return Engine(pipeline, database, database, Changes())


async def settled(engine: Engine) -> None:
    """Until nothing of the run is in hand."""
    while engine._tasks:
        await asyncio.gather(*engine._tasks.values())
        await asyncio.sleep(0)  # it forgets them in callbacks, which 3.12's gather may overtake


@pytest.mark.parametrize("failure", [LeaseLost(), ConnectionResetError()], ids=repr)
async def test_a_run_that_was_dropped_goes_on_with_the_same_worker(failure: Exception) -> None:
    database = Database()
    engine = an_engine(Pipeline(failure), database)
    record = await database.load(CALLER, "run")
    engine.start(record)
    await settled(engine)
    database.away = True  # as it may well be, when that is why the run was dropped
    with pytest.raises(ConnectionRefusedError):
        await engine.adopt()
    database.away = False
    await engine.adopt()
    await settled(engine)
    assert database.loads == 2
    await engine.adopt()
    assert database.loads == 2  # it is done, and no longer given back


async def test_a_run_that_was_claimed_and_could_not_be_read_is_claimed_again() -> None:
    database = Database()
    database.unreadable = 2
    engine = an_engine(Pipeline(), database)
    assert await engine.resume("run")
    await settled(engine)
    for _ in range(3):  # the first of these cannot read it either
        await engine.adopt()
        await settled(engine)
    assert database.loads == 3


async def test_a_run_that_could_not_be_claimed_is_not_said_to_go_on() -> None:
    database = Database()
    database.away = True
    engine = an_engine(Pipeline(), database)
    assert not await engine.resume("run")
    await settled(engine)
    database.away = False
    assert await engine.resume("run")
    await settled(engine)
    assert database.loads == 1
