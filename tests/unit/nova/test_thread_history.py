"""A run without a thread calls nobody for its history, and neither does one that read none."""

from typing import Any, cast

import pytest

from chenu.governance.v1.authorization_service_pb2 import Verdict, VerdictState
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.nova.v1.run_pb2 import Lane, Run, RunAction, RunState
from kernel.caller import Caller
from kernel.channels import Channels
from services.nova.patience import Patience
from services.nova.record import RunRecord
from services.nova.thread_history import ThreadHistory

RUN = "0190b6a0-0000-7000-8000-000000000001"
THREAD = "0190b6a0-0000-7000-8000-000000000002"


class Line:
    """A channel that notes what is called."""

    def __init__(self) -> None:
        self.called: list[Any] = []

    def channel(self, _service: str) -> "Line":
        return self

    def unary_unary(self, method: str, **_: Any) -> Any:
        async def call(request: Any, **_: Any) -> None:
            self.called.append((method.rpartition("/")[2], request))

        return call


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def history(line: Line) -> ThreadHistory:
    return ThreadHistory(cast("Channels", line), Patience(0))


def gated(thread_id: str, *, read: bool = True) -> tuple[RunRecord, dict[str, Verdict]]:
    """A run whose one action waited, was approved and was done."""
    action = RunAction(
        round=1,
        request_id=RUN,
        checkpoint_id=RUN,
        execution_state=ExecutionState.EXECUTION_STATE_SUCCEEDED,
    )
    run = Run(run_id=RUN, thread_id=thread_id, round=1, answer="Done.", actions=[action])
    run.state = RunState.RUN_STATE_SUCCEEDED
    record = RunRecord(run, Caller.system())
    if read:
        record.begin(Lane.LANE_CONTEXT)
        record.finish(Lane.LANE_CONTEXT, "read")
    return record, {RUN: Verdict(request_id=RUN, state=VerdictState.VERDICT_STATE_PERMITTED)}


async def test_a_run_without_a_thread_costs_no_call(line: Line, history: ThreadHistory) -> None:
    record, verdicts = gated("")
    await history.decided(record, verdicts)
    await history.ended(record, verdicts)
    assert line.called == []


async def test_a_run_in_a_thread_tells_its_decisions_and_its_end(
    line: Line, history: ThreadHistory
) -> None:
    record, verdicts = gated(THREAD)
    await history.decided(record, verdicts)
    await history.ended(record, {})
    (first, decisions), (second, end) = line.called
    assert first == second == "RecordRun"
    assert [len(decisions.facts), decisions.answer] == [2, ""]
    assert [len(end.facts), end.answer] == [1, "Done."]


async def test_a_thread_that_could_not_be_read_is_told_nothing(
    line: Line, history: ThreadHistory
) -> None:
    record, verdicts = gated(THREAD, read=False)
    await history.ended(record, verdicts)
    assert line.called == []
