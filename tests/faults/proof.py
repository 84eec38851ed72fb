"""What must be so after every fault, read back through the front doors."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import grpc

from chenu.audit.v1.entry_pb2 import Entry
from chenu.audit.v1.entry_service_pb2 import ListEntriesRequest
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.nova.v1.run_pb2 import Run, RunState
from chenu.nova.v1.run_service_pb2 import RunEvent, WatchRunRequest
from services.nova.record import ENDED
from tests.faults.stage import Stage
from tests.laws.log import verify
from tests.support.fleet import Client
from tests.support.waiting import soon

AWAY = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
)


async def ended(me: Client, run_id: str) -> Run:
    """The run once it has come to its end, however long services are away meanwhile."""

    async def look() -> Run | None:
        try:
            run = await me.run(run_id)
        except grpc.aio.AioRpcError as error:
            if error.code() not in AWAY:
                raise
            return None
        return run if run.state in ENDED else None

    run = await soon(look, "the run has ended")
    assert run is not None
    return run


async def succeeded(me: Client, run_id: str) -> Run:
    """The run, which has succeeded in the end."""
    run = await ended(me, run_id)
    assert run.state == RunState.RUN_STATE_SUCCEEDED, (run.error_reason, run.error_message)
    return run


async def blocked(me: Client, text: str) -> tuple[str, str]:
    """A run that waits for a person: its id and its checkpoint's."""
    begun = await me.begin(text)

    async def look() -> str:
        run = await me.run(begun.run_id)
        return run.block.checkpoints[0].checkpoint_id if run.block.checkpoints else ""

    return begun.run_id, await soon(look, "the run is blocked")


async def run_events(me: Client, run_id: str) -> Sequence[RunEvent]:
    """What happened to a run that has ended."""
    answers = me.runs.WatchRun(WatchRunRequest(run_id=run_id), metadata=await me.nova())
    return [answer.event async for answer in answers if answer.HasField("event")]


async def no_lane_ran_twice(me: Client, run_id: str) -> None:
    """Each lane has completed once a round, in events without gaps."""
    events = await run_events(me, run_id)
    assert [event.sequence_number for event in events] == list(range(1, len(events) + 1))
    lanes = Counter((e.lane, e.round) for e in events if e.type == "lane.complete")
    assert set(lanes.values()) == {1}, lanes


async def recorded(me: Client, stream: str, last: str) -> list[str]:
    """The types of a stream's audit events in their order, once its last one has come."""

    async def look() -> list[Entry]:
        answer = await EntryServiceStub(me.fleet.channel("audit")).ListEntries(
            ListEntriesRequest(stream=stream, page_size=500), metadata=me.me
        )
        entries = [e for e in reversed(answer.entries) if e.event.data.stream == stream]
        return entries if any(e.event.type.endswith(last) for e in entries) else []

    entries = await soon(look, f"{stream}: {last} is in the audit log")
    versions = sorted(entry.event.data.version for entry in entries)
    assert versions == list(range(1, len(entries) + 1)), f"{stream} has gaps or doubles"
    return [entry.event.type.removeprefix("chenu.") for entry in entries]


async def the_log_verifies(stage: Stage, me: Client) -> None:
    """The root recomputed from all leaf hashes is the signed one, and holds the person's events."""
    await verify(stage.channel("audit"), me.me, stage.state / "keys")


def scripted(*rounds: list[tuple[str, dict[str, str]]], slow: int) -> str:
    """A request that is planned to the letter, a plan a round, each after so many ms."""
    # Without words of its own: lane A reads the script too, and takes some for orders.
    plans: list[dict[str, Any]] = [
        {"tools": [{"name": name, "input": given} for name, given in plan]} for plan in rounds
    ]
    plans[-1]["finish"] = True
    return f"Create what is written\n#simulate: {json.dumps(plans)}\n#simulate-fault: slow:{slow}"
