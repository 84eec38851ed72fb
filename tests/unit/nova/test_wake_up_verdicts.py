"""A permit that came with a wake-up saves asking, where it is all that is asked, and signed."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chenu.governance.v1.authorization_service_pb2 import (
    AuthorizeActionsResponse,
    GetPermitKeySetRequest,
    GetPermitKeySetResponse,
    Verdict,
    VerdictState,
)
from chenu.nova.v1.run_pb2 import Run, RunAction
from chenu_gate.action import Action
from chenu_gate.permit import Permit, mint
from kernel.caller import Caller
from kernel.tokens import SigningKey
from services.nova.lanes.authorization import Authorizer
from services.nova.record import RunRecord
from tests.support.actions import an_action

DECISION = "the decision"


class Governance:
    """Permits whatever it is asked for, and counts."""

    def __init__(self) -> None:
        self.asked = 0
        self.key = SigningKey(Ed25519PrivateKey.generate())

    def channel(self, _: str) -> "Governance":
        return self

    def unary_unary(self, *_: Any, **__: Any) -> Any:
        async def call(request: Any, **_: Any) -> Any:
            if isinstance(request, GetPermitKeySetRequest):
                return GetPermitKeySetResponse(jwks=json.dumps({"keys": [self.key.jwk]}))
            self.asked += 1
            verdicts = [permitted(one.request_id, "asked") for one in request.actions]
            return AuthorizeActionsResponse(verdicts=verdicts)

        return call

    unary_stream = unary_unary

    def woken(self, action: Action, /, **changes: Any) -> Verdict:
        """What its wake-up about the first action says; `changes` are fields of the permit."""
        permit = Permit.for_action(
            action, permit_id="p", decision=DECISION, freeze_epoch=0, now=datetime.now(UTC)
        )
        signed = mint(replace(permit, **changes), self.key.private, self.key.kid)
        return permitted("one", signed)


def permitted(request_id: str, permit: str) -> Verdict:
    state = VerdictState.VERDICT_STATE_PERMITTED
    return Verdict(request_id=request_id, state=state, permit=permit)


def a_run(action: Action, *request_ids: str) -> RunRecord:
    record = RunRecord(Run(run_id="run", round=1), Caller.system())
    record.journal["answer"] = ""
    for request_id in request_ids:
        planned = RunAction(request_id=request_id, round=1, decision_id=DECISION)
        record.keep_action(planned, action.canonical())
    return record


async def permits(record: RunRecord, governance: Any) -> list[str]:
    verdicts = await Authorizer(governance).authorize(record, record.round_actions())
    return [verdict.permit for verdict in verdicts.values()]


async def test_a_permit_that_came_with_the_wake_up_is_used_once() -> None:
    governance, action = Governance(), an_action()
    record = a_run(action, "one")
    record.verdict = woken = governance.woken(action)
    assert await permits(record, governance) == [woken.permit]
    assert governance.asked == 0
    assert await permits(record, governance) == ["asked"]


@pytest.mark.parametrize(
    ("request_ids", "changes"),
    [
        (["another"], {}),
        (["one", "two"], {}),
        (["one"], {"expires_at": datetime.now(UTC) + timedelta(seconds=1.5)}),
        (["one"], {"decision": "another"}),
        (["one"], {"audience": "courier"}),
        (["one"], {"action": "sha256:" + "0" * 64}),
    ],
    ids=["of another request", "of one of two", "late", "decision", "audience", "action"],
)
async def test_governance_is_asked_where_the_wake_up_does_not_permit_it_all(
    request_ids: list[str], changes: dict[str, Any]
) -> None:
    governance, action = Governance(), an_action()
    record = a_run(action, *request_ids)
    record.verdict = governance.woken(action, **changes)
    assert await permits(record, governance) == ["asked"] * len(request_ids)
    assert governance.asked == 1


async def test_governance_is_asked_where_the_wake_up_brings_nothing_that_it_signed() -> None:
    governance, action = Governance(), an_action()
    for verdict in (None, permitted("one", "x"), Governance().woken(action)):
        record = a_run(action, "one")
        record.verdict = verdict
        assert await permits(record, governance) == ["asked"]
