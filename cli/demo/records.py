"""What the audit log holds of one run."""

import asyncio
from collections.abc import Sequence
from typing import Final

from rich.console import RenderableType

from chenu.audit.v1.entry_pb2 import Entry
from chenu.audit.v1.entry_service_pb2 import ListEntriesRequest
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from cli.connection import Connection
from cli.problems import Problem
from cli.rendering import table

EXECUTED: Final = "chenu.governance.decision.executed"
_LAST: Final = frozenset({EXECUTED, "chenu.nova.run.ended"})
_TRIES: Final = 60


async def records_of(connection: Connection, run_id: str) -> list[Entry]:
    """Every record of a run that has ended, in the order of the log, once all have arrived."""
    stub = connection.stub(EntryServiceStub)
    for _ in range(_TRIES):
        answer = await stub.ListEntries(ListEntriesRequest(page_size=500))
        found = [one for one in reversed(answer.entries) if _belongs(one, run_id)]
        if {one.event.type for one in found} >= _LAST:
            return found
        await asyncio.sleep(0.2)
    raise Problem("the run's records have not reached the log", reason="AUDIT_LAG")


def executions(records: Sequence[Entry], action_digest: str) -> int:
    """How often the log says that an action was executed."""
    return sum(
        one.event.type == EXECUTED and one.event.data.details["action_digest"] == action_digest
        for one in records
    )


def records_table(records: Sequence[Entry]) -> RenderableType:
    """A run's way through the fleet."""
    return table(
        ("no.", "what", "by", "detail"),
        (
            (
                one.index,
                one.event.type.removeprefix("chenu."),
                f"{one.event.data.actor.kind} {one.event.data.actor.service}".strip(),
                one.event.data.details.get("state", "") or one.event.data.details.get("rule", ""),
            )
            for one in records
        ),
        empty="",
    )


def _belongs(entry: Entry, run_id: str) -> bool:
    return entry.event.subject == f"run/{run_id}" or entry.event.data.details.get("run") == run_id
