"""Law 2: an approval is bound to the exact bytes of the action and of the view that was seen."""

import base64
import json
import re
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chenu.courier.v1.endpoint_pb2 import Endpoint
from chenu.courier.v1.endpoint_service_pb2 import CreateEndpointRequest, UpdateEndpointRequest
from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu.governance.v1.checkpoint_service_pb2 import (
    ApproveCheckpointRequest,
)
from chenu.nova.v1.run_pb2 import RunState
from chenu.threads.v1.message_service_pb2 import ListMessagesRequest
from chenu.threads.v1.message_service_pb2_grpc import MessageServiceStub
from chenu.threads.v1.thread_pb2 import Sphere
from chenu_gate.action import Action, Target
from tests.laws.hands import ANY_DIGEST, Hands, person_of, refusal_of, use
from tests.laws.stories import blocked, doomed, reason
from tests.support.fleet import Client
from tests.support.identity import bearer
from tests.support.receiver import Receiver

SEND = {"name": "webhook_send", "input": {"endpoint": "Alerts", "payload": {"text": "hello"}}}


async def endpoint(me: Client, url: str) -> Endpoint:
    """The endpoint “Alerts”."""
    request = CreateEndpointRequest(name="Alerts", url=url)
    return (await me.endpoints.CreateEndpoint(request, metadata=me.me)).endpoint


async def test_an_approval_of_another_view_than_the_one_that_waits_is_refused(
    me: Client, hands: Hands
) -> None:
    _, at = await doomed(me)
    _, other = await doomed(me, "Other")
    for bought, sent in (
        (ANY_DIGEST, ANY_DIGEST),  # a view that never was
        (other.view_digest, other.view_digest),  # the view of another checkpoint
        (other.view_digest, at.view_digest),  # a token for a view that was not the one seen
        (at.view_digest, other.view_digest),
    ):
        token = await hands.vote_token(me, at.checkpoint_id, bought)
        request = ApproveCheckpointRequest(checkpoint_id=at.checkpoint_id, etag=sent)
        call = me.checkpoints.ApproveCheckpoint(request, metadata=bearer(token))
        assert await reason(call) == ("ABORTED", "ETAG_MISMATCH")
    state = (await me.checkpoint(at.checkpoint_id)).state
    assert state == CheckpointState.CHECKPOINT_STATE_PENDING


@pytest.mark.parametrize(
    "change",
    [{"url": "/status/201"}, {"name": "Alarms"}, {"idempotent": True}, {"disabled": True}],
    ids=lambda change: next(iter(change)),
)
async def test_an_endpoint_edited_after_the_approval_gets_nothing(
    me: Client, change: dict[str, Any]
) -> None:
    async with Receiver() as outside:
        there = await endpoint(me, outside.url("/status/200"))
        plan = json.dumps({"tools": [SEND], "finish": True})
        block = await blocked(me, f"Send it to “Alerts”\n#simulate: {plan}")
        approved = await me.checkpoint(block.checkpoints[0].checkpoint_id)
        if "url" in change:
            change = {"url": outside.url(change["url"])}
        edit = UpdateEndpointRequest(
            endpoint_id=there.endpoint_id,
            endpoint=Endpoint(**change),
            update_mask=FieldMask(paths=list(change)),
            etag=there.etag,
        )
        await me.endpoints.UpdateEndpoint(edit, metadata=me.me)
        await me.approve(approved.checkpoint_id)
        (action,) = (await me.go_on(block.run_id)).actions
        assert action.result in {"TARGET_CHANGED", "ENDPOINT_DISABLED"}
        assert outside.requests == 0


async def test_a_transfer_shows_the_sphere_that_the_thread_is_in_wherever_the_request_works(
    me: Client,
) -> None:
    thread_id = await me.new_thread("Ledger", sphere=Sphere.SPHERE_BUSINESS)
    plan = {
        "tools": [{"name": "thread_transfer", "input": {"thread": thread_id, "sphere": "social"}}],
        "finish": True,
    }
    text = f"Move it\n#simulate: {json.dumps(plan)}"
    block = await blocked(me, text, sphere=Sphere.SPHERE_PERSONAL)
    (at,) = block.checkpoints
    assert "from the sphere business into social" in at.question
    await me.approve(at.checkpoint_id)
    assert (await me.go_on(block.run_id)).state == RunState.RUN_STATE_SUCCEEDED


async def approved_append(me: Client, hands: Hands) -> tuple[str, Action, str]:
    """A message that a person approved word by word: its thread, the action, its request id."""
    thread_id, request_id = await me.new_thread("Letters"), str(uuid4())
    action = use(
        me, "thread.append", Target("thread", thread_id), thread=thread_id, content="Yes, 10 euros."
    )
    gated = await hands.ask(me, action, request_id, requires_checkpoint=True)
    assert gated.state == VerdictState.VERDICT_STATE_BLOCKED
    await me.approve(gated.checkpoint.checkpoint_id)
    return thread_id, action, request_id


async def test_row_20_a_decision_is_bound_to_the_exact_action_an_altered_argument_is_not_executed(
    me: Client, hands: Hands
) -> None:
    thread_id, action, request_id = await approved_append(me, hands)
    altered = replace(action, arguments={**action.arguments, "content": "Yes, 1000 euros."})
    # Governance does not give a permit for it ...
    asked = reason(hands.ask(me, altered, request_id, requires_checkpoint=True))
    assert await asked == ("INVALID_ARGUMENT", "REQUEST_ID_REUSED")
    # ... and the permit for what was approved is none for it, to the last byte.
    permit = (await hands.ask(me, action, request_id, requires_checkpoint=True)).permit
    shouted = replace(action, arguments={**action.arguments, "content": "Yes, 10 euros!"})
    elsewhere = replace(action, target_sphere="business")
    for forged in (altered, shouted, elsewhere, replace(action, run=str(uuid4()))):
        call = hands.execute(me, forged, permit)
        assert await reason(call) == ("PERMISSION_DENIED", "PERMIT_ACTION")
    await hands.execute(me, action, permit)
    answer = await MessageServiceStub(me.fleet.channel("threads")).ListMessages(
        ListMessagesRequest(thread_id=thread_id), metadata=me.me
    )
    assert [message.content for message in answer.messages] == ["Yes, 10 euros."]


async def test_an_action_that_nova_rewrites_in_its_own_journal_is_not_executed(
    me: Client, hands: Hands
) -> None:
    """At the database: whoever holds Nova's role changes what an approved run will do."""
    run_id, at = await doomed(me, "Rubbish")
    spared = await me.new_thread("Precious")
    approved = Action.parse((await me.checkpoint(at.checkpoint_id)).action)
    target = replace(approved.targets[0], id=spared, name="Precious")
    forged = replace(approved, targets=(target,), arguments={"thread": spared})
    await rewrite_journal(hands, me, run_id, forged)
    await me.approve(at.checkpoint_id)
    assert (await reason(me.go_on(run_id)))[1] == "RUN_FAILED"
    run = await me.run(run_id)
    assert run.state == RunState.RUN_STATE_FAILED
    # The executor says so to a permit that came with the wake-up, governance if it is asked anew.
    assert run.error_reason in ("PERMIT_ACTION", "REQUEST_ID_REUSED")
    assert {"Rubbish", "Precious"} <= set(await me.titles())


async def rewrite_journal(hands: Hands, me: Client, run_id: str, forged: Action) -> None:
    """Replace the bytes of every action that the run has planned, as `nova_app` may."""
    async with hands.login("nova_app", person_of(me), keep=True) as connection:
        row = await connection.fetchrow(
            "SELECT journal FROM nova.run_contents WHERE run_id = $1", run_id
        )
        journal = json.loads(row["journal"])
        assert journal["actions"]
        data = base64.b64encode(forged.canonical()).decode()
        journal["actions"] = dict.fromkeys(journal["actions"], data)
        await connection.execute(
            "UPDATE nova.run_contents SET journal = $2 WHERE run_id = $1",
            run_id,
            json.dumps(journal),
        )


# An edit changes what a checkpoint shows, and only together with its own row.
ONLY_BY_AN_EDIT = "does not go from pending to pending|only by an edit"


async def test_what_was_shown_and_what_runs_are_not_rewritten_in_the_database(
    me: Client, hands: Hands, superuser: Any
) -> None:
    _, at = await doomed(me)
    before = await me.checkpoint(at.checkpoint_id)
    columns = {
        "decisions": ("action_digest", "effect", "facts", "requires_checkpoint"),
        "actions": ("action",),
        "views": ("view", "question"),
        "checkpoints": ("etag", "decision_id", "revision", "required_approvals"),
        "votes": ("view_digest", "option", "revision"),
    }
    for role in ("governance_app", "governance_worker"):
        async with hands.login(role, person_of(me)) as connection:
            for table, names in columns.items():
                for name in names:
                    change = f"UPDATE governance.{table} SET {name} = {name}"
                    refusal = str(await refusal_of(connection, change))
                    edited = table == "checkpoints" and name != "decision_id"
                    allowed = f"|{ONLY_BY_AN_EDIT}" if edited else ""
                    assert re.search(f"permission denied{allowed}", refusal), change
    assert await me.checkpoint(at.checkpoint_id) == before
