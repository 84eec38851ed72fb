"""The load generator, a process of its own: `python -m tests.performance.load`.

Reads an `Order` as a line of JSON, says `ready`, waits for a line, then works.
It says `measuring` when the warm-up is over and `measured` when the time is, then
a `Harvest`, and it ends when it is told to. Closed loop: each caller begins the
next piece when the last one is done. Open loop (an order with a rate): pieces
begin when they are due, whether or not others are done, and their time counts
from then.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Final

import grpc
import uvloop

from kernel.errors import reason_of
from tests.performance.people import Person
from tests.performance.work import NotDone, Parts, Work
from tests.performance.works import WORK

_AT_ONCE: Final = 8  # while preparing


@dataclass(frozen=True)
class Order:
    """What one process shall do."""

    addresses: Mapping[str, str]
    work: str
    callers: int
    warmup: float
    seconds: float
    rate: float = 0.0
    """Pieces of work a second; 0 means closed loop."""
    prepare: int = 0
    """Pieces that each caller prepares for."""


@dataclass
class Harvest:
    """What came of it, within the measured time only."""

    done: int = 0
    """Pieces that were done in that time, whenever they were due."""
    latencies: list[float] = field(default_factory=list)
    """Milliseconds."""
    parts: list[Parts] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


class Load:
    """One order being carried out."""

    def __init__(self, order: Order, work: list[Work]) -> None:
        self._order, self._work = order, work
        self._begin = self._end = 0.0
        self._harvest, self._failures = Harvest(), Counter[str]()

    async def run(self) -> Harvest:
        """Warm up, measure, and wait for what is still under way."""
        self._begin = time.perf_counter() + self._order.warmup
        self._end = self._begin + self._order.seconds
        loads = self._open() if self._order.rate else self._closed()
        await asyncio.gather(self._say_when(), *loads)
        self._harvest.failures = dict(self._failures)
        self._harvest.seconds = self._order.seconds
        return self._harvest

    async def _say_when(self) -> None:
        for moment, word in ((self._begin, "measuring"), (self._end, "measured")):
            await asyncio.sleep(moment - time.perf_counter())
            say(word)

    def _closed(self) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self._one_after_another(work)) for work in self._work]

    async def _one_after_another(self, work: Work) -> None:
        while time.perf_counter() < self._end:
            await work.before()
            await self._piece(work, time.perf_counter())

    def _open(self) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self._as_they_are_due())]

    async def _as_they_are_due(self) -> None:
        started, under_way = time.perf_counter(), set[asyncio.Task[None]]()
        for number in count():
            due = started + number / self._order.rate
            if due >= self._end:
                break
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            work = self._work[number % len(self._work)]
            task = asyncio.create_task(self._piece(work, due))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)

    async def _piece(self, work: Work, due: float) -> None:
        try:
            parts = await work.do()
        except (grpc.aio.AioRpcError, NotDone) as error:
            self._failures[_told(error)] += 1
            return
        done = time.perf_counter()
        if done_in_time := self._begin <= done < self._end:
            self._harvest.done += 1
        # Open loop: of all that was due in the time, however late it was done.
        due_in_time = self._begin <= due < self._end
        if due_in_time if self._order.rate else done_in_time:
            self._harvest.latencies.append((done - due) * 1000)
            if parts:
                self._harvest.parts.append(parts)


async def main() -> None:
    """Carry out the order on standard input."""
    order = Order(**json.loads(await asyncio.to_thread(sys.stdin.readline)))
    people = [await Person.register(order.addresses) for _ in range(order.callers)]
    work = [WORK[order.work](person) for person in people]
    await _prepare(work, order.prepare)
    say("ready")
    await asyncio.to_thread(sys.stdin.readline)
    harvest = await Load(order, work).run()
    say(json.dumps(asdict(harvest)))
    await asyncio.to_thread(sys.stdin.readline)  # until its CPU has been read
    for person in people:
        await person.close()


async def _prepare(work: list[Work], pieces: int) -> None:
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(work: Work) -> None:
        async with room:
            await work.prepare(pieces)

    await asyncio.gather(*map(one, work))


def say(line: str) -> None:
    """Tell the bench."""
    print(line, flush=True)


def _told(error: Exception) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name} {reason_of(error)}: {error.details()}"[:200]
    return f"{type(error).__name__}: {error}"[:200]


if __name__ == "__main__":
    uvloop.run(main())
