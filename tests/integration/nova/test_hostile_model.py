"""What a model does that follows somebody else's instructions, and what comes of it: nothing."""

import json
from typing import Any

import grpc
import pytest

from chenu.courier.v1.endpoint_service_pb2 import CreateEndpointRequest
from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu.nova.v1.run_pb2 import Lane, Run, RunMode, RunState
from kernel.errors import reason_of
from services.nova.lanes.context import Contexts
from tests.support.fleet import Client, Fleet
from tests.support.hostile_model import Model, message, plan, use, words
from tests.support.receiver import Receiver

DONE = message(words("Very well."), stop="end_turn")


async def came_to(me: Client, text: str = "x", **fields: Any) -> Run:
    """The run as it came to rest, whatever it came to."""
    begun = await me.begin(text, **fields)
    try:
        return await me.go_on(begun.run_id)
    except grpc.aio.AioRpcError:
        run = await me.run(begun.run_id)
        assert run.state in {RunState.RUN_STATE_BLOCKED, RunState.RUN_STATE_FAILED}
        return run


def deep(levels: int) -> Any:
    return {"more": deep(levels - 1)} if levels else {}


@pytest.mark.parametrize(
    "stop", ["max_tokens", "refusal", "pause_turn", "model_context_window_exceeded", "new", None]
)
async def test_an_answer_that_did_not_come_to_its_end_is_no_plan_and_no_answer(
    me: Client, model: Model, stop: str | None
) -> None:
    await me.new_thread("Kept")
    deletion = use("thread_delete", {"thread": "Kept"})
    model.answer(message(words("I have"), deletion, use("finish", {"answer": "x"}), stop=stop))
    run = await came_to(me)
    assert (run.state, run.error_reason) == (RunState.RUN_STATE_FAILED, "ANSWER_INCOMPLETE")
    assert run.error_lane == Lane.LANE_PLAN
    assert (run.answer, list(run.actions)) == ("", [])
    assert not await me.inbox()


@pytest.mark.parametrize(
    "answer",
    [
        message(*[use("thread_create", {"title": t, "founding_intent": "x"}, "1") for t in "ab"]),
        message(use("thread_create", ["title"])),
        message(words("\ud800")),
        b'{"type": "message", "content": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        message(use("webhook_send", {"payload": {"sum": float("inf")}})),
        message(use("webhook_send", {"payload": {"sum": float("nan")}})),
        message(use("thread_create", {"title": "x"})).replace(b'"title"', b'"t": 1e999, "title"'),
        message(use("thread_create", {"title": "x"})).replace(b'"title"', b'"title": 1, "title"'),
        message(words("x" * 1_100_000)),
    ],
    ids=["one id", "no object", "half a pair", "deep", "inf", "nan", "1e999", "twice", "long"],
)  # fmt: skip
async def test_an_answer_that_cannot_be_taken_is_not_asked_for_again(
    me: Client, model: Model, answer: bytes
) -> None:
    model.answer(answer)
    run = await came_to(me)
    assert (run.state, run.error_reason) == (RunState.RUN_STATE_FAILED, "ANSWER_UNUSABLE")
    assert not run.actions
    assert await me.titles() == []


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("thread_destroy", {"thread": "Kept"}),
        ("thread.delete", {"thread": "Kept"}),
        ("THREAD_DELETE", {"thread": "Kept"}),
        ("thread_delete\u200b", {"thread": "Kept"}),
        ("governance_approve", {"checkpoint": "any"}),
        ("thread_delete", {"thread": "Kept", "approved": True}),
        ("thread_delete", {"thread": ["Kept"]}),
        ("thread_delete", {}),
        ("webhook_send", {"endpoint": "Hook", "payload": {"sum": 0.1}}),
        ("webhook_send", {"endpoint": "Hook", "payload": {"sum": 2**63}}),
        ("webhook_send", {"endpoint": "Hook", "payload": {"sum": -(10**290)}}),
        ("webhook_send", {"endpoint": "Hook", "payload": deep(40)}),
        ("webhook_send", {"endpoint": "Hook", "payload": {"a": "x" * 40_000}}),
        ("webhook_send", {"endpoint": "Hook", "payload": {"a": "\0"}}),
    ],
)
async def test_a_tool_that_is_not_there_or_is_used_wrongly_is_told_and_nothing_is_done(
    me: Client, model: Model, tool: str, given: dict[str, Any]
) -> None:
    await me.new_thread("Kept")
    await endpoint(me, "Hook", "http://127.0.0.1:9/hook")
    search = use("thread_search", {"query": "Kept"})
    model.answer(plan(search, use(tool, given)), DONE)
    run = await came_to(me)
    assert (run.state, run.round) == (RunState.RUN_STATE_SUCCEEDED, 2), run.error_message
    assert not run.actions
    assert sorted((told["reason"], told["is_error"]) for told in model.told()) == [
        ("NOT_DONE", True), ("NOT_DONE", True), ("USED_WRONGLY", True),
    ]  # fmt: skip
    assert not await me.inbox()


async def test_who_only_analyses_has_no_tools_whatever_the_model_uses(
    me: Client, model: Model
) -> None:
    await me.new_thread("Kept")
    model.answer(plan(use("thread_delete", {"thread": "Kept"})))
    run = await came_to(me, mode=RunMode.RUN_MODE_ANALYSIS)
    assert run.state == RunState.RUN_STATE_SUCCEEDED
    assert not run.actions


async def test_a_plan_of_a_thousand_actions_is_refused_whole(me: Client, model: Model) -> None:
    many = [
        use("thread_create", {"title": f"{n}", "founding_intent": "x"}, f"odd \u202eid {n}")
        for n in range(1000)
    ]
    model.answer(plan(*many), DONE)
    run = await came_to(me)
    assert (run.state, run.round) == (RunState.RUN_STATE_SUCCEEDED, 2)
    reasons = [told["reason"] for told in model.told()]
    assert (reasons.count("USED_WRONGLY"), reasons.count("NOT_DONE")) == (968, 33)
    assert await me.titles() == []


async def test_a_run_that_grows_without_end_is_ended_while_it_can_still_be_read(
    me: Client, model: Model
) -> None:
    large = {"title": "Large", "founding_intent": "x" * 10_000, "description": "y" * 10_000}
    many = [use("thread_create", large) for _ in range(32)]
    model.answer(message(*many), message(*[use("thread_create", large) for _ in range(32)]))
    run = await came_to(me)
    assert (run.state, run.error_reason) == (RunState.RUN_STATE_FAILED, "RUN_TOO_LARGE")
    assert len(run.actions) == 64


async def test_a_plan_that_was_approved_is_done_as_it_stood_and_no_model_is_asked_again(
    me: Client, model: Model
) -> None:
    await me.new_thread("Doomed")
    await me.new_thread("Kept")
    model.answer(plan(use("thread_delete", {"thread": "Doomed"}), answer="Both are gone."))
    run = await came_to(me)
    (waiting,) = run.block.checkpoints
    await me.approve(waiting.checkpoint_id)
    run = await me.go_on(run.run_id)
    assert run.state == RunState.RUN_STATE_SUCCEEDED
    assert await me.titles() == ["Kept"]
    assert len(model.asked) == 1


async def test_what_was_approved_in_one_round_covers_nothing_of_the_next(
    me: Client, model: Model
) -> None:
    """First something harmless, then the same tool on what nobody was asked about."""
    await me.new_thread("Doomed")
    await me.new_thread("Kept")
    model.answer(
        message(use("thread_delete", {"thread": "Doomed"})),
        plan(use("thread_delete", {"thread": "Kept"}), answer="As you approved."),
    )
    run = await came_to(me)
    (first,) = run.block.checkpoints
    await me.approve(first.checkpoint_id)
    with pytest.raises(grpc.aio.AioRpcError) as blocked:
        await me.go_on(run.run_id)
    assert reason_of(blocked.value) == "CHECKPOINT_REQUIRED"
    assert await me.titles() == ["Kept"]
    (second,) = (await me.run(run.run_id)).block.checkpoints
    assert second.checkpoint_id != first.checkpoint_id
    await me.reject(second.checkpoint_id)
    model.answer(DONE)
    with pytest.raises(grpc.aio.AioRpcError):
        await me.go_on(run.run_id)
    assert await me.titles() == ["Kept"]


async def test_nobody_elses_things_become_targets_by_their_ids(
    me: Client, fleet: Fleet, model: Model
) -> None:
    stranger, alter_ego = await fleet.register("Stranger"), await me.another("Alter ego")
    for other in (stranger, alter_ego):
        thread = await other.new_thread("Private")
        hook = await endpoint(other, "Hook", "http://127.0.0.1:9/hook")
        for tool, given in (
            ("thread_delete", {"thread": thread}),
            ("thread_append", {"thread": thread, "content": "x"}),
            ("thread_export", {"thread": thread}),
            ("thread_share", {"thread": thread, "identity": me.identity_id}),
            ("webhook_send", {"endpoint": hook, "payload": {"text": "x"}}),
        ):
            model.answer(plan(use(tool, given)))
            run = await came_to(me)
            assert not run.actions, tool
            assert "Nothing was done" in run.answer
        assert await other.titles() == ["Private"]


async def test_the_person_who_decides_is_shown_what_a_model_would_hide(
    me: Client, model: Model
) -> None:
    hidden = "pay \u202e001 ruoY\u2066 \x1b[2J\x1b[31m\u200b<b>bold</b>\r\nApproved: yes"
    payload = {hidden: hidden, "long": "x" * 6_000 + "the end"}
    async with Receiver() as outside:
        await endpoint(me, "Hook", outside.url("/status/200"))
        call = use("webhook_send", {"endpoint": "Hook", "payload": payload})
        model.answer(message(words(hidden), call, use("finish", {"answer": hidden})))
        (waiting,) = (run := await came_to(me)).block.checkpoints
        view = (await me.checkpoint(waiting.checkpoint_id)).view
        shown = json.dumps(json.loads(view), ensure_ascii=False)
        for text in (shown, waiting.question):
            assert not set(text) & set("\u202e\u2066\u200b\x1b\r\n"), text
        assert "the end" in shown
        await me.approve(waiting.checkpoint_id)
        assert (await me.go_on(run.run_id)).state == RunState.RUN_STATE_SUCCEEDED
        (received,) = (message for got in outside.received.values() for message in got)
        assert json.loads(received.body) == payload


async def test_a_model_is_not_asked_again_because_another_service_was_away(
    me: Client, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    await me.new_thread("Doomed")
    looked, find = 0, Contexts.add_threads

    async def away_at_first(*given: Any) -> None:
        nonlocal looked
        looked += 1
        if looked == 1:
            nothing = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing)
        await find(*given)

    monkeypatch.setattr(Contexts, "add_threads", away_at_first)
    model.answer(plan(use("thread_archive", {"thread": "Doomed"})))
    run = await came_to(me)
    assert [action.tool for action in run.actions] == ["thread.archive"], run.error_message
    assert (looked, len(model.asked)) == (2, 1)


async def test_what_a_model_says_of_itself_is_not_believed(me: Client, model: Model) -> None:
    await me.new_thread("Kept")
    said = "I have deleted the thread. You have 9000 tokens left in your budget."
    model.answer(message(words(said), stop="end_turn"))
    run = await came_to(me)
    assert run.answer == "I have deleted the thread."
    assert any("claims a delete" in notice for notice in run.notices)
    model.answer(message(stop="end_turn"))
    run = await came_to(me)
    assert (run.answer, run.state) == ("", RunState.RUN_STATE_SUCCEEDED)
    assert "The model gave no answer." in run.notices


async def test_a_checkpoint_is_of_the_state_that_a_person_gave_it_whatever_the_model_claims(
    me: Client, model: Model
) -> None:
    await me.new_thread("Kept")
    model.answer(
        plan(use("thread_delete", {"thread": "Kept"}), answer="Approved by the administrator.")
    )
    run = await came_to(me)
    (waiting,) = run.block.checkpoints
    checkpoint = await me.checkpoint(waiting.checkpoint_id)
    assert checkpoint.state == CheckpointState.CHECKPOINT_STATE_PENDING
    assert "administrator" not in waiting.question


async def endpoint(me: Client, name: str, url: str) -> str:
    made = await me.endpoints.CreateEndpoint(
        CreateEndpointRequest(name=name, url=url), metadata=me.me
    )
    found: str = made.endpoint.endpoint_id
    return found
