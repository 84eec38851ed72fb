"""Actions that are not even decided, and those that are refused at once."""

from typing import Any
from uuid import uuid4

import grpc
import pytest

from chenu.governance.v1.authorization_service_pb2 import ActionRequest, VerdictState
from chenu_gate.action import ActionKind, Target
from kernel.database import OutboxState
from tests.support.actions import an_action
from tests.support.governance_client import (
    GovernanceClient,
    a_request,
    allowed,
    gated,
    principal,
)
from tests.support.identity import Person, StandInIdentity
from tests.support.refusals import refused

PERMITTED = VerdictState.VERDICT_STATE_PERMITTED
BLOCKED = VerdictState.VERDICT_STATE_BLOCKED
DENIED = VerdictState.VERDICT_STATE_DENIED


async def test_a_rule_that_forbids_is_named_in_the_refusal(
    client: GovernanceClient, person: Person
) -> None:
    action = allowed(person, targets=(Target("tenant", str(uuid4())),))

    info = await refused(
        client.ask_one(person, action), grpc.StatusCode.PERMISSION_DENIED, "GOVERNANCE_DENIED"
    )

    assert info.metadata["rule"] == "identity_boundary"
    assert info.metadata["revision"].startswith("sha256:")


@pytest.mark.parametrize("what", ["tenant", "person", "identity", "agent", "no agent"])
async def test_nobody_asks_for_an_action_of_somebody_else(
    client: GovernanceClient, identity: StandInIdentity, person: Person, what: str
) -> None:
    agent = str(uuid4())
    fields = {
        "tenant": person.tenant,
        "person": person.person,
        "identity": person.identity,
        "agent": agent,
    }
    fields |= {"agent": ""} if what == "no agent" else {what: str(uuid4())}
    action = an_action(kind=ActionKind.SEARCH, principal=type(principal(person))(**fields))

    await refused(
        client.ask(person, allowed(person), action, metadata=identity.as_nova(person, agent)),
        grpc.StatusCode.PERMISSION_DENIED,
        "PRINCIPAL_MISMATCH",
    )


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (lambda data: data + b" ", "NOT_CANONICAL"),
        (lambda data: data.replace(b'"run"', b'"ran"'), "UNKNOWN_FIELD"),
        (lambda data: data.replace(b'"notify":true', b'"notify":1.5'), "FLOAT"),
        (lambda data: data.replace(b'"delete"', b'"obliterate"'), "BAD_VALUE"),
        (lambda data: data[:-1], "NOT_JSON"),
        (lambda data: b"\xff" + data, "NOT_UTF8"),
        (lambda _: b"[" * 30_000, "TOO_DEEP"),
        (lambda _: b"[]", "WRONG_TYPE"),
    ],
)
async def test_bytes_that_are_no_canonical_action_are_refused_with_the_cause_and_the_place(
    client: GovernanceClient, person: Person, spoil: Any, cause: str
) -> None:
    good = a_request(allowed(person))
    bad = ActionRequest(action=spoil(gated(person).canonical()), request_id=str(uuid4()))

    info = await refused(
        client.ask(person, good, bad), grpc.StatusCode.INVALID_ARGUMENT, "ACTION_INVALID"
    )

    assert (info.metadata["cause"], info.metadata["index"]) == (cause, "1")
    # Nothing of the plan was decided.
    await refused(
        client.found(person, good.request_id), grpc.StatusCode.PERMISSION_DENIED, "FORBIDDEN"
    )


async def test_what_breaks_the_contract_is_refused_with_the_name_of_the_field(
    client: GovernanceClient, person: Person
) -> None:
    action = allowed(person)
    too_long = ActionRequest(action=b"x" * 32_769, request_id=str(uuid4()))
    for plan, field in (
        ([action] * 33, "actions"),
        ([too_long], "actions[0].action"),
        ([a_request(action, request_id="1")], "actions[0].request_id"),
        ([a_request(action, agent_words="x" * 4001)], "actions[0].agent_words"),
        ([], "actions"),
    ):
        info = await refused(
            client.ask(person, *plan), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"
        )
        assert info.metadata["fields"] == field


async def test_an_action_that_nobody_could_review_is_refused(
    client: GovernanceClient, person: Person
) -> None:
    # The view writes the whole path beside each of the values.
    endless = a_request(gated(person, arguments={"path" * 500: [0] * 5_000}))

    info = await refused(
        client.ask(person, endless), grpc.StatusCode.INVALID_ARGUMENT, "ACTION_INVALID"
    )
    assert info.metadata["cause"] == "VIEW_TOO_LARGE"


async def test_what_nobody_could_approve_is_refused_at_once_and_for_good(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    identity.not_eligible[person.person] = "DEACTIVATED"
    request = a_request(gated(person))

    (verdict,) = await client.ask(person, request)
    identity.not_eligible.clear()
    (again,) = await client.ask(person, request)

    assert (verdict.state, verdict.reason) == (DENIED, "NO_ELIGIBLE_APPROVER")
    assert (again.state, again.decision.decision_id) == (DENIED, verdict.decision.decision_id)
    assert not verdict.decision.checkpoint_id
    await refused(
        client.ask_one(person, request),
        grpc.StatusCode.FAILED_PRECONDITION,
        "NO_ELIGIBLE_APPROVER",
    )


async def test_changes_are_refused_while_the_audit_log_is_behind(
    client: GovernanceClient, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = a_request(allowed(person))
    with monkeypatch.context() as patched:
        # Whatever the relay, which looks every two seconds, says meanwhile.
        behind = property(lambda _: True, lambda *_: None)
        patched.setattr(OutboxState, "backlogged", behind, raising=False)
        await refused(client.ask_one(person, request), grpc.StatusCode.UNAVAILABLE, "AUDIT_BACKLOG")
    assert (await client.ask_one(person, request)).permit
