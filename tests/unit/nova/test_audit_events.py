"""What an agent asks of Nova is a task of that agent; what a person asks is a run."""

import json

import pytest

from chenu.nova.v1.run_pb2 import Run
from kernel.caller import Caller
from kernel.context import background, new_id
from services.nova import audit_events
from services.nova.record import RunRecord


@pytest.mark.parametrize(
    ("actor", "agent", "action"),
    [
        ("human", "", "AUDIT_ACTION_CREATE"),
        ("agent", new_id(), "AUDIT_ACTION_AGENT_TASK"),
    ],
)
def test_a_run_that_is_accepted_says_whose_it_is(actor: str, agent: str, action: str) -> None:
    caller = Caller(
        tenant=new_id(), person=new_id(), identity=new_id(), actor=actor, agent=agent
    )  # fmt: skip
    with background("/chenu.nova.v1.RunService/StartRun", caller=caller):
        event = audit_events.accepted(RunRecord(Run(run_id=new_id()), caller))
    data = json.loads(event.bytes)["data"]
    assert (data["action"], data["actor"]["kind"]) == (action, actor)
