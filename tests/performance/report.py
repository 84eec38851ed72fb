"""The table at the end: each floor beside what was measured, and against the limits of the run."""

import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.performance.audit_lag import LOST
from tests.performance.bench import CALLERS, CONNECTIONS, RATE, RULES, SHARE, Bench
from tests.performance.generator import GENERATOR, Cell
from tests.performance.judging import judging
from tests.performance.log import INGEST, MEMORY, RAW, VERIFY
from tests.performance.stack import cores, machine

BEGIN: Final = "<!-- what `make bench` measured -->"
END: Final = "<!-- the end of what `make bench` measured -->"
# CPU milliseconds and RPCs of a run that the architecture allows for.
BUDGET: Final = {"plain": (7.1, "4"), "gated": (9.6, "")}
# Runs a second flat out.
_FLOORS: Final = {"plain": 150, "gated": 100}
_LANES: Final = ("intent", "context", "plan", "governance", "checkpoint", "execution", "audit")
# Who calls these does so whether or not anything runs, or for many runs at once.
_NOT_OF_A_RUN: Final = ("Health/", "SourceService/", "ResolutionService/", "OutcomeService/")
Row = Sequence[str]


def report(bench: Bench, command: str) -> str:
    """All tables as Markdown that reads well in a terminal too."""
    parts = [_where(command), *_tables(bench)]
    return "\n\n".join(parts) + "\n"


def write_into(path: Path, text: str) -> None:
    """Put the tables between the page's markers."""
    page = path.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def _where(command: str) -> str:
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    python = platform.python_version()
    return f"`{command}`, {date}: {machine()}, Python {python}, load generator included."


def _tables(bench: Bench) -> Iterator[str]:
    if rows := list(_floors(bench)):
        yield _table(("what", "floor", "aim", "measured", "against the limits of this run"), rows)
    if rows := [_limit(cell) for cell in bench.cells if cell.name in _LIMITS]:
        yield _table(("limit", "callers", "a second", "p50 ms", "p99 ms"), rows)
    apart = (*_LIMITS, "idle", *map(judging, RULES.values()))
    if rows := [_run(cell) for cell in bench.cells if cell.name not in apart]:
        times = ("p50 ms", "p95 ms", "p99 ms")
        yield _table(("work", "callers", "offered/s", "done/s", *times, "failed"), rows)
    if rows := list(_rules(bench)):
        more = "an action's p50 ms more than with none"
        yield _table(("judging an action", "p50 ms", "p99 ms", more), rows)
    if rows := list(_lanes(bench)):
        yield _table(("median ms in lane", *_LANES), rows)
    if rows := list(_costs(bench)):
        yield _table(("what a run consumes", "CPU ms", "RPCs", "transactions", "events"), rows)
    yield from _cpu_tables(bench)


_LIMITS: Final = ("health", "authenticated", "commit of one row", "acknowledged publish", RAW)


def _floors(bench: Bench) -> Iterator[Row]:
    what = f"p99 at {RATE:.0f} allowed runs/s, open loop, {CONNECTIONS} connections"
    for open_loop in bench.cells:
        if open_loop.name == "plain" and open_loop.offered == RATE:
            yield _slow(bench, what, "< 100 ms", open_loop, 99)
    for work, kind, floor, aim in (
        ("plain", "allowed", f"{_FLOORS['plain']}/s", "280/s"),
        ("gated", "gated", f"{_FLOORS['gated']}/s", "210/s"),
    ):
        most = bench.saturation(work)
        if most is not None:
            what = f"{kind} runs flat out ({_callers(most)})"
            yield what, floor, aim, f"{most.per_second:.0f}/s", _against_rates(bench, most)
    for work, what, floor, percent in (
        ("plain", "a simple run, p95", "< 100 ms", 95),
        ("three rounds", "a run with three rounds, p95", "< 500 ms", 95),
        ("append", "an event appended, p95", "< 10 ms", 95),
        ("health", "a health check, p95", "< 50 ms", 95),
    ):
        cell = bench.find(work, 1)
        if cell is not None:
            yield _slow(bench, what, floor, cell, percent)
    most_rules = bench.find(judging(max(RULES.values())), 1)
    if most_rules is not None:
        yield _slow(bench, f"{most_rules.name}, p99", "< 10 ms", most_rules, 99)
    yield from _log_floors(bench)
    for work, (budget, _) in BUDGET.items():
        most = bench.saturation(work)
        if most is not None:
            measured = f"{most.cpu_per_piece:.1f} ms"
            floor = f"{1000 * cores() / _FLOORS[work]:.1f} ms"  # what so many a second leave to one
            yield f"CPU of a {work} run", floor, f"{budget} ms", measured, _rpcs_alone(bench, most)


def _rpcs_alone(bench: Bench, cell: Cell) -> str:
    """What its RPCs would take if each were the cheapest one behind the interceptors."""
    cheapest = bench.find("authenticated", CONNECTIONS)
    if cheapest is None or not cell.done:
        return ""
    rpcs = _rpcs(cell)
    return f"{rpcs:.1f} of the cheapest RPCs: {rpcs * cheapest.cpu_per_piece:.1f} ms"


def _rpcs(cell: Cell) -> float:
    """How many RPCs each piece of work makes."""
    return sum(n for method, n in cell.used.calls.items() if _of_a_run(method)) / cell.done


def _log_floors(bench: Bench) -> Iterator[Row]:
    lag = bench.find(f"audit lag at {RATE:.0f} runs/s", 1)
    if lag is not None:
        what = f"answer to covering tree head, p99, at {RATE:.0f} runs/s"
        yield what, "≤ 2000 ms", "", f"{lag.percentile(99):.0f} ms", ""
    lost = bench.find(LOST, 1)
    if lost is not None:
        yield f"{LOST}, slowest", "≤ 15 s", "", f"{lost.percentile(100) / 1000:.1f} s", ""
    into, raw = bench.find(INGEST, 1), bench.find(RAW, 1)
    if into is not None and raw is not None:
        against = f"one for {raw.per_second / into.per_second:.1f} raw inserts"
        yield (
            "records into the signed log",
            "5000/s",
            "10000/s",
            f"{into.per_second:.0f}/s",
            against,
        )
    checked = bench.find(VERIFY, 1)
    if checked is not None:
        took = f"{checked.seconds:.1f} s, {checked.parts[MEMORY]:.0f} MiB"
        yield f"{checked.done} records verified offline", "60 s, 300 MiB", "30 s", took, ""


def _slow(bench: Bench, what: str, floor: str, cell: Cell, percent: int) -> Row:
    took = cell.percentile(percent)
    against = []
    for name, limit in (("RPCs", "authenticated"), ("commits", "commit of one row")):
        found = bench.find(limit, 1)
        if found is not None:
            against.append(f"{took / found.percentile(percent):.1f} {name}")
    return what, floor, "", f"{took:.1f} ms", ", ".join(against)


def _against_rates(bench: Bench, cell: Cell) -> str:
    against = []
    for name, limit, callers in (
        ("RPCs", "authenticated", CONNECTIONS),
        ("commits", "commit of one row", 16),
        ("publishes", "acknowledged publish", 16),
    ):
        found = bench.find(limit, callers)
        if found is not None and cell.per_second:
            against.append(f"one for {found.per_second / cell.per_second:.0f} {name}")
    return ", ".join(against)


def _limit(cell: Cell) -> Row:
    return (
        cell.name,
        str(cell.callers),
        f"{cell.per_second:.0f}",
        f"{cell.percentile(50):.2f}",
        f"{cell.percentile(99):.2f}",
    )


def _run(cell: Cell) -> Row:
    share = f" ({SHARE:.0%} of flat out)" if cell.offered not in (0.0, RATE) else ""
    return (
        cell.name,
        str(cell.callers),
        f"{cell.offered:.0f}{share}" if cell.offered else "",
        f"{cell.per_second:.1f}",
        *(f"{cell.percentile(percent):.1f}" for percent in (50, 95, 99)),
        str(sum(cell.failures.values())),
    )


def _rules(bench: Bench) -> Iterator[Row]:
    """What rules cost by themselves, and what they add to an action that is authorized."""
    none = bench.find("no rules", 1)
    for work, count in RULES.items():
        alone, whole = bench.find(judging(count), 1), bench.find(work, 1)
        if alone is None:
            continue
        more = ""
        if count and none is not None and whole is not None:
            more = f"{whole.percentile(50) - none.percentile(50):.2f}"
        yield work, f"{alone.percentile(50):.3f}", f"{alone.percentile(99):.3f}", more


def _lanes(bench: Bench) -> Iterator[Row]:
    for work, callers in (("plain", 1), ("plain", 16), ("gated", 1), ("three rounds", 1)):
        cell = bench.find(work, callers)
        if cell is not None and cell.parts:
            yield (
                f"{work}, {_callers(cell)}",
                *(f"{cell.parts[lane]:.2f}" if lane in cell.parts else "" for lane in _LANES),
            )


def _costs(bench: Bench) -> Iterator[Row]:
    for work in BUDGET:
        for callers in CALLERS:
            cell = bench.find(work, callers)
            if cell is None or not cell.done:
                continue
            used, done = cell.used, cell.done
            yield (
                f"{work}, {_callers(cell)}",
                f"{cell.cpu_per_piece:.2f}",
                f"{_rpcs(cell):.2f}",
                f"{used.commits / done:.2f}",
                f"{used.events / done:.2f}",
            )
        if bench.saturation(work) is not None:
            milliseconds, rpcs_allowed = BUDGET[work]
            yield f"{work}, the budget", f"{milliseconds}", rpcs_allowed, "", ""


def _cpu_tables(bench: Bench) -> Iterator[str]:
    """Who consumes it: milliseconds a run, and a second when nothing is asked for."""
    columns: dict[str, Counter[str]] = {}
    calls: dict[str, Counter[str]] = {}
    for work in BUDGET:
        cell = bench.saturation(work)
        if cell is not None and cell.done:
            columns[work] = _each(cell.used.cpu, 1000 / cell.done)
            calls[work] = _each(cell.used.calls, 1 / cell.done)
    idle = [cell for cell in bench.cells if cell.name == "idle"]
    if idle:
        columns["idle, a second"] = _each(idle[-1].used.cpu, 1000 / idle[-1].seconds)
    if columns:
        yield _split("CPU ms by process", columns)
    if calls:
        yield _split("RPCs served", calls, least=0.02)


def _split(title: str, columns: dict[str, Counter[str]], least: float = 0.0) -> str:
    names = sorted({n for c in columns.values() for n in c}, key=lambda n: (n == GENERATOR, n))
    rows = [
        (name.removeprefix("/chenu."), *(f"{column[name]:.2f}" for column in columns.values()))
        for name in names
        if max(column[name] for column in columns.values()) >= least
    ]
    rows.append(("all", *(f"{sum(column.values()):.2f}" for column in columns.values())))
    return _table((title, *columns), rows)


def _each(counter: Counter[str], factor: float) -> Counter[str]:
    each: Counter[str] = Counter()
    for name, value in counter.items():
        each[name] = value * factor  # type: ignore[assignment]  # a Counter holds any number
    return each


def _callers(cell: Cell) -> str:
    return "1 caller" if cell.callers == 1 else f"{cell.callers} callers"


def _of_a_run(method: str) -> bool:
    return not any(part in method for part in _NOT_OF_A_RUN)


def _table(head: Row, rows: Sequence[Row]) -> str:
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]

    def line(cells: Row) -> str:
        padded = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(head), f"| {' | '.join(rule)} |", *map(line, rows)])
