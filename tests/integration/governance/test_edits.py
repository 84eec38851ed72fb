"""Edits: another version of what waits, judged, typed, shown and voted on anew."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest

from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu.governance.v1.checkpoint_pb2 import Checkpoint, CheckpointState
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.governance.v1.review_service_pb2 import (
    EditCheckpointRequest,
    EditedTarget,
    EditedTargets,
)
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from chenu_gate.action import Action, Target
from chenu_gate.permit import PermitForAnotherAction, PermitKeys, verify
from tests.integration.governance.conftest import Events
from tests.support.approvals import colleague
from tests.support.edits import ARGUMENTS, a_payment, as_blocked, edit, paying
from tests.support.governance_client import GovernanceClient, a_request, gated
from tests.support.governance_roles import become
from tests.support.identity import Person, StandInIdentity
from tests.support.refusals import refused
from tests.support.wake_ups import woken_by

PENDING = CheckpointState.CHECKPOINT_STATE_PENDING
APPROVED = CheckpointState.CHECKPOINT_STATE_APPROVED
INVALID = grpc.StatusCode.INVALID_ARGUMENT
DENIED = grpc.StatusCode.PERMISSION_DENIED
ABORTED = grpc.StatusCode.ABORTED


@pytest.fixture
def reviews(channel: grpc.aio.Channel) -> ReviewServiceStub:
    return ReviewServiceStub(channel)


async def test_row_15_an_edit_makes_a_new_revision_that_needs_new_votes_and_shows_what_changed(
    client: GovernanceClient,
    reviews: ReviewServiceStub,
    identity: StandInIdentity,
    person: Person,
    events: Events,
) -> None:
    bea = colleague(identity, person, "finance")
    _, checkpoint = await paying(client, person)
    await client.approve(bea, checkpoint)

    edited = await edit(client, reviews, person, checkpoint, {"amount": 90, "note": "90 \u202e"})

    assert (edited.state, edited.revision) == (PENDING, 2)
    assert edited.etag != checkpoint.view_digest
    assert edited.stages[0].missing == 2
    (told,) = edited.edits
    assert told.person_id == person.person
    assert [(c.path, c.before, c.after) for c in told.changes] == [
        ("arguments.amount", "100 (integer)", "90 (integer)"),
        ("arguments.note", "rent (string)", "90 ⟦U+202E⟧ (string)"),
    ]
    assert json.loads(edited.view)["edited"]["changes"][0]["after"] == "90 (integer)"
    assert Action.parse(edited.action).arguments["amount"] == 90
    # A vote for what waited before is a vote for something else.
    await refused(client.approve(bea, checkpoint), ABORTED, "ETAG_MISMATCH")
    assert (await client.approve(bea, as_blocked(edited))).state == PENDING
    assert (await client.approve(person, as_blocked(edited))).state == APPROVED
    told_events = [e["type"].rpartition(".")[2] for e in
                   await events(f"checkpoint/{checkpoint.checkpoint_id}")]  # fmt: skip
    assert told_events == ["created", "voted", "edited", "voted", "approved"]


async def test_what_was_edited_is_what_the_permit_is_for_and_whoever_asked_is_told(
    client: GovernanceClient,
    reviews: ReviewServiceStub,
    identity: StandInIdentity,
    person: Person,
    permit_key_set: PermitKeys,
    nats_url: str,
) -> None:
    bea = colleague(identity, person, "finance")
    payment = replace(a_payment(person), run=str(uuid4()))
    request, checkpoint = await client.blocked(person, payment)
    edited = await edit(client, reviews, bea, checkpoint, {"amount": 50})
    (verdict,) = await client.ask(person, request)
    assert verdict.state == VerdictState.VERDICT_STATE_BLOCKED
    assert verdict.checkpoint.view_digest == edited.etag
    votes = (client.approve(voter, as_blocked(edited)) for voter in (person, bea))
    _, woken = await woken_by(nats_url, *votes)

    (verdict,) = await client.ask(person, request)

    assert verdict.state == VerdictState.VERDICT_STATE_PERMITTED
    action = Action.parse(verdict.edited_action)
    assert action.document()["arguments"] == ARGUMENTS | {"amount": 50}
    assert verdict.decision.action_digest == action.digest == edited.action_digest
    permitted = verify(
        verdict.permit, permit_key_set, audience="threads", now=datetime.now(UTC),
        action_bytes=verdict.edited_action,
    )  # fmt: skip
    assert permitted.action == action
    assert not woken.HasField("verdict")  # what people wrote is not for all who listen
    with pytest.raises(PermitForAnotherAction):
        verify(
            verdict.permit, permit_key_set, audience="threads", now=datetime.now(UTC),
            action_bytes=request.action,
        )  # fmt: skip
    succeeded = ExecutionState.EXECUTION_STATE_SUCCEEDED
    asked = Action.parse(request.action).digest
    await refused(
        client.report(verdict, succeeded, action_digest=asked),
        grpc.StatusCode.FAILED_PRECONDITION,
        "OUTCOME_CONFLICT",
    )
    await client.report(verdict, succeeded)
    seen = await client.get(person, checkpoint.checkpoint_id)
    assert seen.execution_state == ExecutionState.EXECUTION_STATE_SUCCEEDED


async def test_row_16_policy_judges_the_edited_action_anew(
    client: GovernanceClient,
    reviews: ReviewServiceStub,
    identity: StandInIdentity,
    person: Person,
) -> None:
    bea, cem = colleague(identity, person, "finance"), colleague(identity, person, "finance")
    _, checkpoint = await paying(client, person)

    info = await refused(
        edit(client, reviews, bea, checkpoint, {"amount": 6000}), DENIED, "GOVERNANCE_DENIED"
    )
    assert info.metadata["rule"] == "test_pay_too_much"
    # Another rule now says what it takes: four eyes, and the editor's are not among them.
    much = await edit(client, reviews, bea, checkpoint, {"amount": 2000})
    assert (much.rule, much.required_approvals) == ("test_pay_much", 1)
    for excluded in (bea, person):
        with pytest.raises(grpc.aio.AioRpcError):
            await client.approve(excluded, as_blocked(much))
    assert (await client.approve(cem, as_blocked(much))).state == APPROVED


async def test_an_edit_that_nobody_could_approve_is_refused(
    client: GovernanceClient,
    reviews: ReviewServiceStub,
    identity: StandInIdentity,
    person: Person,
) -> None:
    bea = colleague(identity, person, "finance")
    _, checkpoint = await paying(client, person)
    await refused(
        edit(client, reviews, bea, checkpoint, {"amount": 2000}),
        grpc.StatusCode.FAILED_PRECONDITION,
        "NO_ELIGIBLE_APPROVER",
    )


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ({"amount": "100"}, "ARGUMENTS_INVALID"),
        ({"amount": 0}, "ARGUMENTS_INVALID"),
        ({"amount": True}, "ARGUMENTS_INVALID"),
        ({"more": 1}, "ARGUMENTS_INVALID"),
        ({"account": "acc-2"}, "ARGUMENTS_INVALID"),
        ({}, "UNCHANGED"),
        ('{"account": "acc-1", "amount": 1.5}', None),
        ('{"account": "acc-1", "amount": 1, "amount": 2}', None),
        ("[]", None),
        ("{}x", None),
    ],
)
async def test_types_are_kept_and_what_does_not_fit_the_tool_is_refused(
    client: GovernanceClient,
    reviews: ReviewServiceStub,
    identity: StandInIdentity,
    person: Person,
    arguments: Any,
    cause: str | None,
) -> None:
    colleague(identity, person, "finance")
    _, checkpoint = await paying(client, person)

    info = await refused(
        edit(client, reviews, person, checkpoint, arguments), INVALID, "EDIT_REFUSED"
    )

    if cause:
        assert info.metadata["cause"] == cause
    assert (await client.get(person, checkpoint.checkpoint_id)).revision == 1


async def test_targets_are_edited_together_with_the_arguments_that_name_them(
    client: GovernanceClient,
    reviews: ReviewServiceStub,
    identity: StandInIdentity,
    person: Person,
) -> None:
    colleague(identity, person, "finance")
    _, checkpoint = await paying(client, person)
    target = EditedTarget(type="account", id="acc-2", version="v9", name="Bank")
    edited = await edit(
        client, reviews, person, checkpoint, {"account": "acc-2"},
        targets=EditedTargets(targets=[target]),
    )  # fmt: skip
    assert [c.path for c in edited.edits[0].changes] == ["arguments.account", "target 1"]
    assert Action.parse(edited.action).targets == (Target("account", "acc-2", "v9", "Bank"),)


async def test_only_who_may_decide_or_owns_it_edits_and_only_what_they_saw(
    client: GovernanceClient,
    reviews: ReviewServiceStub,
    identity: StandInIdentity,
    person: Person,
) -> None:
    bea = colleague(identity, person, "finance")
    stranger = colleague(identity, person, "sales")
    _, checkpoint = await paying(client, person)
    await refused(edit(client, reviews, stranger, checkpoint, {"amount": 1}), DENIED, "FORBIDDEN")
    for metadata in (identity.as_agent(person, person.session), identity.as_nova(person)):
        request = EditCheckpointRequest(
            checkpoint_id=checkpoint.checkpoint_id, etag=checkpoint.view_digest, arguments="{}"
        )
        await refused(
            reviews.EditCheckpoint(request, metadata=metadata), DENIED, "CALLER_NOT_ALLOWED"
        )
    answers = await asyncio.gather(
        *(edit(client, reviews, bea, checkpoint, {"amount": n}) for n in range(1, 5)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, Checkpoint) for answer in answers) == 1
    seen = await client.get(person, checkpoint.checkpoint_id)
    assert seen.revision == 2


async def test_what_no_executor_knows_is_not_edited(
    client: GovernanceClient, reviews: ReviewServiceStub, person: Person
) -> None:
    request = a_request(gated(person))
    (verdict,) = await client.ask(person, request)
    info = await refused(
        edit(client, reviews, person, verdict.checkpoint, '{"thread_id": "t-2"}'),
        INVALID,
        "EDIT_REFUSED",
    )
    assert info.metadata["cause"] == "TOOL_UNKNOWN"


async def test_the_database_itself_changes_what_waits_only_by_an_edit_on_record(
    client: GovernanceClient, person: Person, app: Any
) -> None:
    _, checkpoint = await client.blocked(person)
    await become(app, person)
    for change in ("etag = 'sha256:x'", "approval = '{\"stages\": []}'", "required_approvals = 9",
                   "revision = revision + 1, etag = 'x', edited_digest = 'y'"):  # fmt: skip
        with pytest.raises(asyncpg.CheckViolationError, match="only by an edit"):
            await app.execute(
                f"UPDATE governance.checkpoints SET version = version + 1, {change}"
                " WHERE checkpoint_id = $1",
                checkpoint.checkpoint_id,
            )
