"""What a wake-up says that governance would answer saves asking, where it is all that is asked."""

import time
from typing import Any

import pytest

from chenu.governance.v1.authorization_service_pb2 import (
    AuthorizeActionsResponse,
    Verdict,
    VerdictState,
)
from chenu.nova.v1.run_pb2 import Run, RunAction
from kernel.caller import Caller
from services.nova.lanes.authorization import Authorizer
from services.nova.record import RunRecord


class Governance:
    """Permits whatever it is asked for, and counts."""

    def __init__(self) -> None:
        self.asked = 0

    def channel(self, _: str) -> "Governance":
        return self

    def unary_unary(self, *_: Any, **__: Any) -> Any:
        async def call(request: Any, **_: Any) -> AuthorizeActionsResponse:
            self.asked += 1
            verdicts = [permitted(one.request_id, "asked") for one in request.actions]
            return AuthorizeActionsResponse(verdicts=verdicts)

        return call

    unary_stream = unary_unary


def permitted(request_id: str, permit: str, seconds: float = 10.0) -> Verdict:
    verdict = Verdict(
        request_id=request_id, state=VerdictState.VERDICT_STATE_PERMITTED, permit=permit
    )
    verdict.permit_expire_time.FromNanoseconds(time.time_ns() + int(seconds * 1e9))
    return verdict


def a_run(*request_ids: str) -> RunRecord:
    record = RunRecord(Run(run_id="run", round=1), Caller.system())
    record.journal["answer"] = ""
    for request_id in request_ids:
        record.keep_action(RunAction(request_id=request_id, round=1), b"{}")
    return record


async def permits(record: RunRecord, governance: Any) -> list[str]:
    verdicts = await Authorizer(governance).authorize(record, record.round_actions())
    return [verdict.permit for verdict in verdicts.values()]


async def test_a_permit_that_came_with_the_wake_up_is_used_once() -> None:
    governance, record = Governance(), a_run("one")
    record.verdict = permitted("one", "woken")
    assert await permits(record, governance) == ["woken"]
    assert governance.asked == 0
    assert await permits(record, governance) == ["asked"]


@pytest.mark.parametrize(
    ("actions", "verdict"),
    [
        (["one"], None),
        (["one"], permitted("another", "woken")),
        (["one", "two"], permitted("one", "woken")),
        (["one"], permitted("one", "woken", seconds=1.5)),
    ],
    ids=["none came", "of another action", "of one of two", "too late"],
)
async def test_governance_is_asked_where_the_wake_up_does_not_say_all(
    actions: list[str], verdict: Verdict | None
) -> None:
    governance, record = Governance(), a_run(*actions)
    record.verdict = verdict
    assert await permits(record, governance) == ["asked"] * len(actions)
    assert governance.asked == 1
