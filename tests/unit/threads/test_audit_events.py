"""A search in another sphere than one's own is an access across; in one's own it is a search."""

import json
from typing import Any, cast

import pytest

from chenu_gate.permit import PermittedAction
from kernel.caller import Caller
from kernel.context import background
from services.threads import audit_events


class Plain:
    """Attributes as given."""

    def __init__(self, **given: Any) -> None:
        self.__dict__.update(given)


@pytest.mark.parametrize(
    ("source", "target", "action"),
    [
        ("business", "business", "AUDIT_ACTION_EXECUTE"),
        ("", "business", "AUDIT_ACTION_EXECUTE"),
        ("personal", "business", "AUDIT_ACTION_CROSS_SPHERE_ACCESS"),
    ],
)
def test_a_search_says_whether_it_went_across(source: str, target: str, action: str) -> None:
    wanted = Plain(
        source_sphere=source, target_sphere=target, tool=Plain(name="thread.search"),
        digest="sha256:0", run="",
    )  # fmt: skip
    permitted = cast(PermittedAction, Plain(action=wanted, permit=Plain(decision="d1")))
    with background("search", caller=Caller.system()):
        event = audit_events.search_executed(permitted, 3)
    data = json.loads(event.bytes)["data"]
    assert data["action"] == action
    assert data["decision"] == {"decision_id": "d1", "effect": "ALLOW"}
