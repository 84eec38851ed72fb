"""Which cells are measured, in which order, for how long."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.performance.audit_lag import alert_lag, audit_lag
from tests.performance.generator import Cell, measure
from tests.performance.judging import judged
from tests.performance.limits import commits, publishes
from tests.performance.load import Order
from tests.performance.log import records_into_the_log, verified
from tests.performance.stack import MeasuredStack

CALLERS: Final = (1, 16, 50)
CONNECTIONS: Final = 50
RATE: Final = 100.0
SHARE: Final = 0.6
"""Of what it can do flat out: where latency in open loop is told."""
_FASTEST: Final = {"gated": 250.0}
"""Pieces a second that are prepared for."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Pace:
    """How long things take."""

    seconds: float
    warmup: float
    limit_seconds: float
    records: int = 1_000_000
    """Of the log that is verified."""


FULL: Final = Pace(seconds=10.0, warmup=2.0, limit_seconds=3.0)
QUICK: Final = Pace(seconds=2.0, warmup=1.0, limit_seconds=0.5, records=50_000)
RULES: Final = {"no rules": 0, "10 rules": 10, "100 rules": 100, "1000 rules": 1000}
PARTS: Final = ("limits", "idle", "plain", "gated", "open", "single", "rules", "lag", "log")
"""What `--only` may name, in the order in which it is measured."""


class Bench:
    """One run of the bench; `cells` grows as it goes."""

    def __init__(self, stack: MeasuredStack, pace: Pace, processes: int, say: Say) -> None:
        self._stack, self._pace, self._processes, self._say = stack, pace, processes, say
        self.cells: list[Cell] = []

    async def run(self, parts: Sequence[str]) -> None:
        """Measure the parts that are asked for."""
        measured: dict[str, Callable[[], Awaitable[None]]] = {
            "limits": self._limits,
            "idle": self._idle,
            "plain": lambda: self._flat_out("plain"),
            "gated": lambda: self._flat_out("gated"),
            "open": self._open,
            "single": self._single,
            "rules": self._rules,
            "lag": self._lag,
            "log": self._log,
        }
        for part in PARTS:
            if part in parts:
                await measured[part]()

    def find(self, name: str, callers: int) -> Cell | None:
        """The closed-loop cell of that kind."""
        for cell in self.cells:
            if (cell.name, cell.callers, cell.offered) == (name, callers, 0.0):
                return cell
        return None

    def saturation(self, name: str) -> Cell | None:
        """The closed-loop cell that did most in a second."""
        cells = [cell for cell in self.cells if cell.name == name and not cell.offered]
        return max(cells, key=lambda cell: cell.per_second, default=None)

    async def _limits(self) -> None:
        seconds = self._pace.limit_seconds
        for callers in (1, CONNECTIONS):
            for work in ("health", "authenticated"):
                await self._load(work, callers, seconds=seconds)
        for callers in (1, 16):
            self._note(await commits(self._stack.admin_url, callers, seconds))
        for callers in (1, 16):
            self._note(await publishes(self._stack.nats_url, callers, seconds))

    async def _idle(self) -> None:
        """What the fleet consumes when nobody asks for anything."""
        await asyncio.sleep(self._pace.warmup)
        before = await self._stack.read()
        await asyncio.sleep(self._pace.seconds)
        used = (await self._stack.read()).since(before)
        self._note(Cell("idle", 0, 0.0, (), self._pace.seconds, 0, used=used))

    async def _flat_out(self, work: str) -> None:
        for callers in CALLERS:
            await self._load(work, callers)

    async def _open(self) -> None:
        await self._load("plain", CONNECTIONS, rate=RATE)
        for work in ("plain", "gated"):
            most = self.saturation(work)
            if most is not None:
                await self._load(work, CONNECTIONS, rate=SHARE * most.per_second)

    async def _single(self) -> None:
        for work in ("three rounds", "append"):
            await self._load(work, 1)

    async def _rules(self) -> None:
        """What an allowed action costs governance, with ever more rules of the tenant's own."""
        for work in RULES:
            for callers in (1, 16):
                await self._load(work, callers)
        for count in RULES.values():
            self._note(await judged(count, self._pace.limit_seconds))

    async def _lag(self) -> None:
        stack, seconds = self._stack, self._pace.seconds
        self._note(await audit_lag("audit lag at rest", stack.addresses, stack.admin_url, seconds))
        name = f"audit lag at {RATE:.0f} runs/s"

        async def probe() -> None:
            self._note(await audit_lag(name, stack.addresses, stack.admin_url, seconds))

        order = self._order("plain", CONNECTIONS, RATE, seconds + 1)
        await measure(stack, order, self._processes, meanwhile=probe)
        self._note(await alert_lag(stack.admin_url))

    async def _log(self) -> None:
        for cell in await records_into_the_log(self._pace.seconds):
            self._note(cell)
        self._note(await verified(self._pace.records))

    async def _load(
        self, work: str, callers: int, *, rate: float = 0.0, seconds: float = 0.0
    ) -> None:
        order = self._order(work, callers, rate, seconds or self._pace.seconds)
        self._note(await measure(self._stack, order, self._processes))

    def _order(self, work: str, callers: int, rate: float, seconds: float) -> Order:
        fastest = rate or _FASTEST.get(work, 0.0) * min(1.0, callers / 4)
        pieces = int(fastest * (self._pace.warmup + seconds) / callers) + 2
        return Order(
            addresses=self._stack.addresses,
            work=work,
            callers=callers,
            warmup=self._pace.warmup,
            seconds=seconds,
            rate=rate,
            prepare=pieces,
        )

    def _note(self, cell: Cell) -> None:
        self.cells.append(cell)
        self._say(cell.summary() if cell.done else f"{cell.name}: {_cpu(cell)}")
        for failure, times in Counter(cell.failures).most_common(3):
            self._say(f"  {times} × {failure}")


def _cpu(cell: Cell) -> str:
    return f"{sum(cell.used.cpu.values()) / cell.seconds * 1000:.0f} ms CPU a second"
