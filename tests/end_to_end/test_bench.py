"""`make bench` still measures what it says: its smallest cells, on the stack that runs anyway."""

import asyncio
import json
from urllib.parse import urlsplit

import pytest

from deploy.local.ports import DEFAULT_PORTS, Ports
from tests.end_to_end.conftest import RunningStack
from tests.performance import bench as measuring
from tests.performance import generator
from tests.performance import report as reporting
from tests.performance.bench import Bench, Pace
from tests.performance.judging import judged
from tests.performance.limits import commits, publishes
from tests.performance.log import MEMORY, verified
from tests.performance.stack import MeasuredStack

PACES = [Pace(seconds, warmup=0.1, limit_seconds=seconds / 10) for seconds in (0.5, 2, 10)]
"""The next where a busy machine did nothing in the one before."""


def ports(stack: RunningStack) -> Ports:
    """Where the parts of a stack listen that chose its ports itself."""
    told = json.loads((stack.folder / "environment.json").read_text())

    def port(place: str) -> int:
        return urlsplit(place if "//" in place else f"//{place}").port or 0

    return Ports(
        {name: port(told[f"CHENU_{name.upper()}_ADDRESS"]) for name in DEFAULT_PORTS},
        simulator=port(told["CHENU_LLM_SIMULATOR_HOST"]),
        postgres=port(told["CHENU_AUDIT_DATABASE_URL"]),
        nats=port(told["CHENU_NATS_URL"]),
    )


async def measured(stack: RunningStack, said: list[str]) -> Bench:
    running = MeasuredStack(stack.folder, ports(stack), {})
    for pace in PACES:
        said.clear()
        bench = Bench(running, pace, 1, said.append)
        await bench.run(["gated"])
        bench._note(await commits(running.admin_url, 1, pace.limit_seconds))
        bench._note(await publishes(running.nats_url, 1, pace.limit_seconds))
        if all(cell.done for cell in bench.cells):
            break
    return bench


def test_the_bench_measures_gated_runs_and_the_limits_and_tells_what_they_cost(
    stack: RunningStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "CALLERS", (1,))
    monkeypatch.setattr(reporting, "CALLERS", (1,))
    monkeypatch.setattr(generator, "_SETTLE_SECONDS", 0.0)
    said: list[str] = []
    bench = asyncio.run(measured(stack, said))
    gated, commit, publish = bench.cells
    assert gated.done > 0
    assert not gated.failures
    assert {cell.name for cell in (commit, publish)} <= set(reporting._LIMITS)
    assert [line.partition(",")[0] for line in said] == [cell.name for cell in bench.cells]
    text = reporting.report(bench, "make bench")
    for heading in ("what", "limit", "work", "median ms in lane", "what a run consumes"):
        assert f"\n| {heading} " in text, heading
    assert "gated runs flat out (1 caller)" in text
    assert "| NATS " in text
    (written, *_) = json.loads(json.dumps([cell.document() for cell in bench.cells]))
    assert written["used"]["cpu_seconds"]["nova"] > 0
    assert written["used"]["events"] > 0


def test_the_bench_tells_what_rules_cost_by_themselves() -> None:
    bench = Bench(None, PACES[0], 1, print)  # type: ignore[arg-type]  # no stack is asked
    bench.cells = [asyncio.run(judged(count, 0.05)) for count in (0, 1000)]
    text = " ".join(reporting.report(bench, "make bench").split())
    assert "| judging an action | p50 ms | p99 ms |" in text
    assert "| judging by 1000 rules, p99 | < 10 ms |" in text
    none, thousand = bench.cells
    assert none.percentile(50) < thousand.percentile(50)


def test_the_bench_verifies_a_log_that_it_has_written_itself() -> None:
    cell = asyncio.run(verified(600))
    assert (cell.done, cell.failures) == (600, {})
    assert 0 < cell.parts[MEMORY] < 300
