"""A vote that does not end the checkpoint is told as what it was: for, or against."""

import json

import pytest

from kernel.caller import Caller
from kernel.context import background, new_id
from services.governance import audit_events


@pytest.mark.parametrize(
    ("state", "option", "action"),
    [
        ("pending", "approve", "AUDIT_ACTION_APPROVE"),
        ("pending", "reject", "AUDIT_ACTION_REJECT"),
        ("approved", "approve", "AUDIT_ACTION_CHECKPOINT_APPROVED"),
        ("rejected", "reject", "AUDIT_ACTION_CHECKPOINT_REJECTED"),
        ("expired", "", "AUDIT_ACTION_UPDATE"),
    ],
)
def test_each_vote_has_its_action(state: str, option: str, action: str) -> None:
    names = ("checkpoint_id", "decision_id", "tenant", "identity", "action_digest", "etag", "run")
    row = {name: new_id() for name in names} | {"sphere": "personal", "version": 1}
    with background("votes", caller=Caller.system()):
        event = audit_events.checkpoint_changed(row, state, option=option)
    assert json.loads(event.bytes)["data"]["action"] == action
