"""A request goes through the lanes: done at once, or blocked until a person has decided."""

import grpc
import pytest

from chenu.governance.v1.checkpoint_pb2 import CheckpointBlock, CheckpointState
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.nova.v1.run_pb2 import Lane, LaneState, RunMode, RunState
from chenu.nova.v1.run_service_pb2 import (
    CancelRunRequest,
    ClassifyIntentRequest,
    ExecuteRunRequest,
    ListRunsRequest,
    WatchRunRequest,
)
from kernel.errors import detail, reason_of
from tests.support.fleet import Client, Fleet


async def blocked(me: Client, text: str, **fields: object) -> CheckpointBlock:
    """Run a request that must block; what it waits for."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await me.execute(text, **fields)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason_of(refused.value) == "CHECKPOINT_REQUIRED"
    block = detail(refused.value, CheckpointBlock)
    assert block is not None
    return block


async def test_an_allowed_request_is_planned_authorized_executed_and_answered(me: Client) -> None:
    run = await me.execute("Create a thread called “Garden” about the vegetable beds")
    assert run.state == RunState.RUN_STATE_SUCCEEDED
    (action,) = run.actions
    assert action.tool == "thread.create"
    assert action.execution_state == ExecutionState.EXECUTION_STATE_SUCCEEDED
    assert "Garden" in await me.titles()
    assert run.simulated
    assert any("simulator" in notice for notice in run.notices)
    lanes = {r.lane: r.state for r in run.lanes}
    assert lanes[Lane.LANE_AUDIT] == LaneState.LANE_STATE_COMPLETED
    assert Lane.LANE_CHECKPOINT not in lanes


async def test_a_question_is_answered_and_nothing_is_done(me: Client) -> None:
    run = await me.execute("What is a founding intent?")
    assert run.state == RunState.RUN_STATE_SUCCEEDED
    assert run.answer
    assert not run.actions


async def test_a_deletion_blocks_until_approved_and_is_then_done_once(me: Client) -> None:
    await me.new_thread("Old drafts")
    block = await blocked(me, "Delete the thread “Old drafts”")
    (waiting,) = block.checkpoints
    assert "Old drafts" in await me.titles()
    assert (await me.run(block.run_id)).state == RunState.RUN_STATE_BLOCKED
    await me.approve(waiting.checkpoint_id)
    run = await me.go_on(block.run_id)
    assert run.state == RunState.RUN_STATE_SUCCEEDED
    assert "Old drafts" not in await me.titles()
    assert run.actions[0].execution_state == ExecutionState.EXECUTION_STATE_SUCCEEDED


async def test_a_rejected_run_says_so_and_nothing_was_done(me: Client) -> None:
    await me.new_thread("Keep me")
    block = await blocked(me, "Delete the thread “Keep me”")
    await me.reject(block.checkpoints[0].checkpoint_id)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await me.go_on(block.run_id)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert reason_of(refused.value) == "CHECKPOINT_REJECTED"
    assert "Keep me" in await me.titles()
    assert (await me.run(block.run_id)).state == RunState.RUN_STATE_REJECTED


async def test_one_rejection_ends_a_plan_of_several(me: Client) -> None:
    await me.new_thread("First")
    await me.new_thread("Second")
    block = await blocked(me, "Delete the thread “First” and delete the thread “Second”")
    first, second = block.checkpoints
    await me.approve(first.checkpoint_id)
    with pytest.raises(grpc.aio.AioRpcError):
        await me.go_on(block.run_id)
    await me.reject(second.checkpoint_id)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await me.go_on(block.run_id)
    assert reason_of(refused.value) == "CHECKPOINT_REJECTED"
    assert {"First", "Second"} <= set(await me.titles())


async def test_a_rejection_cancels_what_its_siblings_still_wait_for(me: Client) -> None:
    await me.new_thread("Third")
    await me.new_thread("Fourth")
    block = await blocked(me, "Delete the thread “Third” and delete the thread “Fourth”")
    first, second = block.checkpoints
    await me.reject(first.checkpoint_id)
    with pytest.raises(grpc.aio.AioRpcError):
        await me.go_on(block.run_id)
    assert (
        await me.checkpoint(second.checkpoint_id)
    ).state == CheckpointState.CHECKPOINT_STATE_CANCELLED


async def test_the_same_request_id_returns_to_the_same_run_and_does_nothing_twice(
    me: Client,
) -> None:
    request_id = "7b7a9d1e-3c1a-4f6e-9d57-1d2c3b4a5f60"
    first = await me.execute("Create a thread called “Once”", request_id=request_id)
    again = await me.execute("Create a thread called “Once”", request_id=request_id)
    assert first.run_id == again.run_id
    assert (await me.titles()).count("Once") == 1
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await me.execute("Create a thread called “Twice”", request_id=request_id)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(refused.value) == "REQUEST_ID_REUSED"


@pytest.mark.parametrize(
    "mode",
    [RunMode.RUN_MODE_ANALYSIS, RunMode.RUN_MODE_DRAFT, RunMode.RUN_MODE_SIMULATION],
)
async def test_only_the_execution_mode_does_anything(me: Client, mode: RunMode) -> None:
    run = await me.execute("Create a thread called “Imagined”", mode=mode)
    assert run.state == RunState.RUN_STATE_SUCCEEDED
    assert "Imagined" not in await me.titles()
    assert bool(run.actions) == (mode != RunMode.RUN_MODE_ANALYSIS)
    assert not await me.inbox()


async def test_a_plan_that_needs_results_goes_round_again(me: Client) -> None:
    await me.new_thread("Rent 2026")
    run = await me.execute("Search for threads about “Rent” and archive the first")
    assert run.state == RunState.RUN_STATE_SUCCEEDED
    assert run.round >= 2
    assert [a.tool for a in run.actions] == ["thread.search", "thread.archive"]


async def test_a_model_that_uses_a_tool_wrongly_is_told_and_nothing_is_done(me: Client) -> None:
    run = await me.execute(
        'x\n#simulate: [{"tools": [{"name": "thread_delete", "input": {"thread": 7}}],'
        ' "finish": true}, {"text": "I could not."}]'
    )
    assert run.state == RunState.RUN_STATE_SUCCEEDED
    assert not run.actions
    assert run.round == 2


async def test_a_plan_that_never_ends_is_ended_after_five_rounds(me: Client) -> None:
    plan = '{"tools": [{"name": "thread_search", "input": {"query": "x"}}]}'
    run = None
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        run = await me.execute(f"x\n#simulate: [{', '.join([plan] * 6)}]")
    assert run is None
    assert reason_of(refused.value) == "RUN_FAILED"


@pytest.mark.parametrize("finish", ["true", "false"])
async def test_a_character_that_no_database_holds_breaks_no_answer(me: Client, finish: str) -> None:
    plan = r'{"text": "one\u0000two", "finish": ' + finish + "}"
    run = await me.execute(f"x\n#simulate: {plan}")
    assert run.state == RunState.RUN_STATE_SUCCEEDED
    assert run.answer == "one\ufffdtwo"


async def test_an_answer_that_claims_what_was_not_done_gets_a_notice(me: Client) -> None:
    run = await me.execute('x\n#simulate: {"text": "I have deleted the thread for you."}')
    assert any("claims a delete" in notice for notice in run.notices)


async def test_token_budgets_never_appear_in_an_answer(me: Client) -> None:
    run = await me.execute(
        'x\n#simulate: {"text": "Here you are. You have 9000 tokens left in your budget."}'
    )
    assert run.answer == "Here you are."


async def test_a_cancelled_run_withdraws_what_it_waits_for(me: Client) -> None:
    await me.new_thread("Spared")
    block = await blocked(me, "Delete the thread “Spared”")
    answer = await me.runs.CancelRun(
        CancelRunRequest(run_id=block.run_id, reason="changed my mind"), metadata=await me.nova()
    )
    assert answer.run.state == RunState.RUN_STATE_CANCELLED
    checkpoint = await me.checkpoint(block.checkpoints[0].checkpoint_id)
    assert checkpoint.state == CheckpointState.CHECKPOINT_STATE_CANCELLED
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await me.runs.CancelRun(CancelRunRequest(run_id=block.run_id), metadata=await me.nova())
    assert reason_of(refused.value) == "RUN_ENDED"


async def test_a_newer_message_in_the_thread_supersedes_what_is_pending(me: Client) -> None:
    thread_id = await me.new_thread("Conversation")
    await me.new_thread("Scratch")
    block = await blocked(me, "Delete the thread “Scratch”", thread_id=thread_id)
    await me.execute("What is a thread?", thread_id=thread_id)
    checkpoint = await me.checkpoint(block.checkpoints[0].checkpoint_id)
    assert checkpoint.state == CheckpointState.CHECKPOINT_STATE_SUPERSEDED
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await me.go_on(block.run_id)
    assert reason_of(refused.value) == "RUN_CANCELLED"


async def test_another_persons_run_and_a_missing_one_get_the_same_answer(
    me: Client, fleet: Fleet
) -> None:
    run = await me.execute("What is a thread?")
    stranger = await fleet.register()
    answers = []
    for run_id in (run.run_id, "0190b6a0-0000-7000-8000-000000000000"):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stranger.run(run_id)
        answers.append((refused.value.code(), refused.value.details(), reason_of(refused.value)))
    assert answers[0] == answers[1]
    assert answers[0][2] == "FORBIDDEN"


async def test_nova_refuses_an_access_token_and_says_what_to_do(me: Client) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await me.runs.ExecuteRun(ExecuteRunRequest(text="Hello"), metadata=me.me)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "exchange the access token for a delegation" in (refused.value.details() or "")


async def test_a_started_run_answers_at_once_and_is_watched_to_its_end(me: Client) -> None:
    run = await me.begin("Create a thread called “Later”")
    assert run.state != RunState.RUN_STATE_FAILED
    kinds, ended = [], None
    async for answer in me.runs.WatchRun(
        WatchRunRequest(run_id=run.run_id), metadata=await me.nova(), timeout=30
    ):
        kinds += [answer.event.type] if answer.HasField("event") else []
        ended = answer.run if answer.HasField("run") else ended
    assert kinds[0] == "pipeline.start"
    assert kinds[-1] == "pipeline.complete"
    assert ended is not None
    assert ended.state == RunState.RUN_STATE_SUCCEEDED
    assert "Later" in await me.titles()


@pytest.mark.parametrize("behind", [1, 2, 3])
async def test_who_watches_again_hears_only_what_came_after_the_last_event_heard(
    me: Client, behind: int
) -> None:
    run = await me.execute("What is a thread?")
    heard: list[list[int]] = []
    for after in (0, behind):
        answers = me.runs.WatchRun(
            WatchRunRequest(run_id=run.run_id, after_sequence=after),
            metadata=await me.nova(),
            timeout=30,
        )
        events = [a.event.sequence_number async for a in answers if a.HasField("event")]
        heard.append(events)
    assert heard[0] == list(range(1, len(heard[0]) + 1))
    assert heard[1] == heard[0][behind:]


async def test_a_blocked_start_is_a_success_answer_and_its_state_says_so(me: Client) -> None:
    await me.new_thread("Waiting")
    run = await me.begin("Delete the thread “Waiting”")
    async for answer in me.runs.WatchRun(
        WatchRunRequest(run_id=run.run_id), metadata=await me.nova(), timeout=30
    ):
        if answer.event.type == "pipeline.blocked":
            break
    assert (await me.run(run.run_id)).state == RunState.RUN_STATE_BLOCKED


async def test_lane_a_alone_runs_nothing(me: Client) -> None:
    answer = await me.runs.ClassifyIntent(
        ClassifyIntentRequest(text="Supprime le fil « Budget »"), metadata=await me.nova()
    )
    assert (answer.intent.kind, answer.intent.language) == ("delete", "fr")
    assert answer.intent.requires_checkpoint
    assert not (await me.runs.ListRuns(ListRunsRequest(), metadata=await me.nova())).runs
