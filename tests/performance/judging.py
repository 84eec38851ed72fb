"""What rules cost by themselves: one action judged again and again, in this process, no RPC."""

import asyncio
import time
from datetime import UTC, datetime
from uuid import uuid4

from chenu_gate.action import Principal
from services.governance.policy.rule import Facts
from services.governance.policy.rule_documents import rule_set
from tests.performance.generator import Cell
from tests.performance.rules import document, search

_WARMUP = 50


def judging(count: int) -> str:
    """What the cell of so many rules is called."""
    return f"judging by {count} rules"


async def judged(count: int, seconds: float) -> Cell:
    """A search judged by so many rules that look at it, beside the built-in ones."""
    return await asyncio.to_thread(_judged, count, seconds)


def _judged(count: int, seconds: float) -> Cell:
    rules = rule_set(document(count))
    principal = Principal(*(str(uuid4()) for _ in range(3)))
    action = search(principal)
    facts = Facts(
        tenant=principal.tenant,
        person=principal.person,
        identity=principal.identity,
        agent="",
        actor="human",
        requires_checkpoint=False,
        time=datetime.now(UTC),
    )
    for _ in range(_WARMUP):
        rules.judge(action, facts)
    latencies = []
    begin = end = time.perf_counter()
    while end - begin < seconds:
        start = time.perf_counter()
        rules.judge(action, facts)
        end = time.perf_counter()
        latencies.append((end - start) * 1000)
    return Cell(judging(count), 1, 0.0, sorted(latencies), end - begin, len(latencies))
