"""Runs load in processes of its own and reads the stack's counters around the measured time."""

import asyncio
import json
import math
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import median
from typing import Final

from tests.performance.load import Harvest, Order
from tests.performance.stack import MeasuredStack, Reading

GENERATOR: Final = "load generator"
_SETTLE_SECONDS: Final = 1.5  # what preparing has left behind is in the log by then
_LINE_BYTES: Final = 64 << 20


@dataclass(frozen=True)
class Cell:
    """One measurement."""

    name: str
    callers: int
    offered: float
    """Pieces a second in open loop; 0 in closed loop."""
    latencies: Sequence[float]
    """Milliseconds, sorted."""
    seconds: float
    done: int
    """Pieces of work that were done in these seconds."""
    failures: dict[str, int] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)
    """Median milliseconds of each lane."""
    used: Reading = field(default_factory=lambda: Reading(Counter(), Counter(), 0, 0))

    @property
    def per_second(self) -> float:
        """How many were done in a second."""
        return self.done / self.seconds

    @property
    def cpu_per_piece(self) -> float:
        """Milliseconds of CPU in all processes."""
        return sum(self.used.cpu.values()) * 1000 / max(1, self.done)

    def percentile(self, percent: float) -> float:
        """The latency that so many percent do not exceed; not a number where nothing was done."""
        if not self.latencies:
            return math.nan
        return self.latencies[math.ceil(len(self.latencies) * percent / 100) - 1]

    def summary(self) -> str:
        """One line."""
        how = f"{self.offered:.0f}/s offered" if self.offered else f"{self.callers} callers"
        times = " ".join(f"p{p} {self.percentile(p):.1f}" for p in (50, 95, 99))
        failed = f", {sum(self.failures.values())} FAILED" if self.failures else ""
        cpu = f", {self.cpu_per_piece:.2f} ms CPU each" if self.used.cpu else ""
        return f"{self.name}, {how}: {self.per_second:.1f}/s, {times} ms{cpu}{failed}"

    def document(self) -> dict[str, object]:
        """For a file: without every single latency."""
        return {
            "name": self.name,
            "callers": self.callers,
            "offered_per_second": self.offered,
            "seconds": self.seconds,
            "done": self.done,
            "per_second": self.per_second,
            "milliseconds": {f"p{p}": self.percentile(p) for p in (50, 95, 99)},
            "failures": self.failures,
            "lanes_milliseconds": self.parts,
            # Not by `asdict`: of a Counter it makes one that counts pairs.
            "used": {
                "cpu_seconds": dict(self.used.cpu),
                "calls": dict(self.used.calls),
                "commits": self.used.commits,
                "events": self.used.events,
            },
        }


async def measure(
    stack: MeasuredStack,
    order: Order,
    processes: int = 1,
    meanwhile: Callable[[], Coroutine[None, None, None]] | None = None,
) -> Cell:
    """Have the order carried out by so many processes, and `meanwhile` in the measured time."""
    shares = [_share(order, number, processes) for number in range(processes)]
    generators = [await _start(share) for share in shares if share.callers]
    try:
        for generator in generators:
            await _heard(generator, "ready")
        await asyncio.sleep(_SETTLE_SECONDS)
        for generator in generators:
            _tell(generator, "go")
        before = await _read_at("measuring", stack, generators)
        beside = asyncio.create_task(meanwhile()) if meanwhile else None
        after = await _read_at("measured", stack, generators)
        harvests = [Harvest(**json.loads(await _line(generator))) for generator in generators]
        if beside:
            await beside
        for generator in generators:
            _tell(generator, "end")
    finally:
        for generator in generators:
            if generator.returncode is None:
                generator.kill()
            await generator.wait()
    return _cell(order, harvests, after.since(before))


async def _read_at(word: str, stack: MeasuredStack, generators: Sequence[Process]) -> Reading:
    """The counters at the moment when the generators say this word."""
    for generator in generators:
        await _heard(generator, word)
    return await stack.read({GENERATOR: [generator.pid for generator in generators]})


def _share(order: Order, number: int, processes: int) -> Order:
    callers = order.callers // processes + (number < order.callers % processes)
    return replace(order, callers=callers, rate=order.rate * callers / order.callers)


async def _start(order: Order) -> Process:
    generator = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.performance.load"),
        stdin=PIPE,
        stdout=PIPE,
        limit=_LINE_BYTES,
        start_new_session=True,
    )
    _tell(generator, json.dumps(asdict(order)))
    return generator


def _tell(generator: Process, line: str) -> None:
    assert generator.stdin is not None
    generator.stdin.write(f"{line}\n".encode())


async def _line(generator: Process) -> str:
    assert generator.stdout is not None
    line = await generator.stdout.readline()
    if not line:
        raise RuntimeError("the load generator has ended; its standard error says why")
    return line.decode().strip()


async def _heard(generator: Process, word: str) -> None:
    said = await _line(generator)
    if said != word:
        raise RuntimeError(f"the load generator says {said[:200]!r}, not {word!r}")


def _cell(order: Order, harvests: Sequence[Harvest], used: Reading) -> Cell:
    failures: Counter[str] = Counter()
    parts: dict[str, list[float]] = {}
    for harvest in harvests:
        failures.update(harvest.failures)
        for lanes in harvest.parts:
            for lane, took in lanes.items():
                parts.setdefault(lane, []).append(took)
    return Cell(
        name=order.work,
        callers=order.callers,
        offered=order.rate,
        latencies=sorted(x for harvest in harvests for x in harvest.latencies),
        seconds=order.seconds,
        done=sum(harvest.done for harvest in harvests),
        failures=dict(failures),
        parts={lane: median(took) for lane, took in parts.items()},
        used=used,
    )
