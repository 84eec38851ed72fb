"""Nova killed at each boundary of a run: another instance goes on, and does nothing twice."""

from collections import Counter
from contextlib import suppress
from uuid import uuid4

import asyncpg
import grpc
import pytest

from chenu.llm.v1.ledger_service_pb2 import ListLedgerEntriesRequest
from chenu.llm.v1.ledger_service_pb2_grpc import LedgerServiceStub
from chenu.nova.v1.run_pb2 import Lane
from chenu.threads.v1.thread_event_pb2 import ThreadEventType
from deploy.postgres.roles import database_url
from tests.faults.dying import Place, after
from tests.faults.proof import (
    no_lane_ran_twice,
    recorded,
    run_events,
    succeeded,
    the_log_verifies,
)
from tests.faults.stage import Stage
from tests.support.fleet import Client
from tests.support.waiting import soon

ACCEPTED = Place("journal:Journal.accept")
FROZEN = Place("lanes.context:Contexts.freeze")
ASKED = Place("lanes.planning:Planner.ask")
ADOPTED = Place("lanes.planning:Planner.adopt")
PLAN_WRITTEN = Place("journal:Journal.write")
AUTHORIZED = Place("lanes.authorization:Authorizer.authorize")
VERDICTS_TOLD = Place("thread_history:ThreadHistory.decided")
ONE_DONE = Place("lanes.execution:Executions._one")
ALL_DONE = Place("lanes.execution:Executions.execute")
END_TOLD = Place("thread_history:ThreadHistory.ended")
END_WRITTEN = Place("journal:Journal.write", 2)

BLOCK_WRITTEN = Place("journal:Journal.write", 2)
AUTHORIZED_AGAIN = Place("lanes.authorization:Authorizer.authorize", 2)
APPROVAL_TOLD = Place("thread_history:ThreadHistory.decided", 2)
RESUMED_END_WRITTEN = Place("journal:Journal.write", 3)

PLAIN = (
    ACCEPTED, FROZEN, ASKED, ADOPTED, PLAN_WRITTEN, AUTHORIZED, VERDICTS_TOLD, ONE_DONE, ALL_DONE,
    END_TOLD, END_WRITTEN,
)  # fmt: skip
BEFORE_THE_PERSON = (PLAN_WRITTEN, AUTHORIZED, VERDICTS_TOLD, BLOCK_WRITTEN)
AFTER_THE_PERSON = (
    AUTHORIZED_AGAIN, APPROVAL_TOLD, ONE_DONE, ALL_DONE, END_TOLD, RESUMED_END_WRITTEN
)  # fmt: skip
EVERY_RUN = {
    Lane.LANE_INTENT, Lane.LANE_CONTEXT, Lane.LANE_PLAN, Lane.LANE_GOVERNANCE, Lane.LANE_EXECUTION,
    Lane.LANE_AUDIT,
}  # fmt: skip
CREATED = ThreadEventType.THREAD_EVENT_TYPE_THREAD_CREATED
COMPLETED = ThreadEventType.THREAD_EVENT_TYPE_ACTION_COMPLETED
ANSWERED = ThreadEventType.THREAD_EVENT_TYPE_NOTE_ADDED
TRIGGERED = ThreadEventType.THREAD_EVENT_TYPE_CHECKPOINT_TRIGGERED
APPROVED = ThreadEventType.THREAD_EVENT_TYPE_CHECKPOINT_APPROVED


async def dies_at(stage: Stage, place: Place, marker: str) -> None:
    """Let nova's next life end there, in the run whose text holds the marker."""
    await stage.restart("nova", **after(place, run_text_holds=marker))


async def another_takes_over(stage: Stage) -> None:
    """Once the first instance has died; its lease is over at once, not after seconds."""
    await soon(lambda: stage.fallen("nova"), "nova has died")
    superuser = await asyncpg.connect(database_url(stage.backends.postgres.admin_url))
    await superuser.execute("UPDATE nova.workers SET expire_time = now() - interval '1 second'")
    await superuser.close()
    await stage.kill("nova")
    await stage.start("nova")


async def begin(me: Client, text: str, request_id: str, thread_id: str) -> str:
    """The id of the run, which may be begun already; empty where nova died before it answered."""
    with suppress(grpc.aio.AioRpcError):
        return (await me.begin(text, request_id=request_id, thread_id=thread_id)).run_id
    return ""


@pytest.mark.parametrize("place", PLAIN, ids=lambda place: f"{place.step}-{place.time}")
async def test_a_plain_run_is_finished_by_another_instance_wherever_the_first_one_died(
    stage: Stage, me: Client, place: Place
) -> None:
    home, marker, request_id = await me.new_thread("Home"), f"Garden{uuid4().hex}", str(uuid4())
    await dies_at(stage, place, marker)
    text = f"Create a thread called “{marker}”"
    await begin(me, text, request_id, home)
    await another_takes_over(stage)
    run_id = await begin(me, text, request_id, home)
    run = await succeeded(me, run_id)
    assert [action.tool for action in run.actions] == ["thread.create"]
    assert sorted(await me.titles()) == [marker, "Home"]
    assert [event.type for event in await me.history(home)] == [CREATED, COMPLETED, ANSWERED]
    # Only an answer that was not written down is asked for again.
    assert await calls(me, run_id) == (2 if place in (ASKED, ADOPTED) else 1)
    await whole(stage, me, run_id)


@pytest.mark.parametrize("place", BEFORE_THE_PERSON, ids=lambda place: f"{place.step}-{place.time}")
async def test_a_gated_run_asks_once_wherever_the_first_instance_died_before_it_waited(
    stage: Stage, me: Client, place: Place
) -> None:
    home, marker = await me.new_thread("Home"), f"Garden{uuid4().hex}"
    doomed = await me.new_thread(marker)
    await dies_at(stage, place, marker)
    text, request_id = f"Delete the thread “{marker}”", str(uuid4())
    await begin(me, text, request_id, home)
    await another_takes_over(stage)
    run_id = await begin(me, text, request_id, home)
    await me.approve(await waits(me, run_id))
    await done_once(stage, me, run_id, doomed)


@pytest.mark.parametrize("place", AFTER_THE_PERSON, ids=lambda place: f"{place.step}-{place.time}")
async def test_an_approval_is_carried_out_once_wherever_the_first_instance_died_after_it(
    stage: Stage, me: Client, place: Place
) -> None:
    home, marker = await me.new_thread("Home"), f"Garden{uuid4().hex}"
    doomed = await me.new_thread(marker)
    await dies_at(stage, place, marker)
    run_id = await begin(me, f"Delete the thread “{marker}”", str(uuid4()), home)
    await me.approve(await waits(me, run_id))
    await another_takes_over(stage)
    await done_once(stage, me, run_id, doomed)


async def waits(me: Client, run_id: str) -> str:
    """The one checkpoint that the run waits for."""

    async def look() -> str:
        run = await me.run(run_id)
        return run.block.checkpoints[0].checkpoint_id if run.block.checkpoints else ""

    checkpoint_id: str = await soon(look, "the run is blocked")
    return checkpoint_id


async def done_once(stage: Stage, me: Client, run_id: str, doomed: str) -> None:
    run = await succeeded(me, run_id)
    assert [action.tool for action in run.actions] == ["thread.delete"]
    assert await me.titles() == ["Home"]
    history = [event.type for event in await me.history(run.thread_id)]
    assert history == [CREATED, TRIGGERED, APPROVED, COMPLETED, ANSWERED]
    types = await recorded(me, f"thread/{doomed}", "thread.deleted")
    assert types.count("threads.thread.deleted") == 1
    assert await calls(me, run_id) == 1
    await whole(stage, me, run_id)


async def calls(me: Client, run_id: str) -> int:
    """How often a model was asked."""
    ledger = LedgerServiceStub(me.fleet.channel("llm"))
    answer = await ledger.ListLedgerEntries(ListLedgerEntriesRequest(run_id=run_id), metadata=me.me)
    return len(answer.entries)


async def whole(stage: Stage, me: Client, run_id: str) -> None:
    """No lane ran twice, and no event is missing or doubled."""
    await no_lane_ran_twice(me, run_id)
    told = await run_events(me, run_id)
    assert {e.lane for e in told if e.type == "lane.complete"} >= EVERY_RUN
    assert (told[0].type, told[-1].type) == ("pipeline.start", "pipeline.complete")
    types = Counter(await recorded(me, f"run/{run_id}", "run.ended"))
    assert types["nova.run.accepted"] == types["nova.run.ended"] == 1
    assert types["nova.run.blocked"] <= 1
    assert set(types) <= {
        f"nova.run.{what}" for what in ("accepted", "blocked", "resumed", "ended")
    }
    await the_log_verifies(stage, me)
