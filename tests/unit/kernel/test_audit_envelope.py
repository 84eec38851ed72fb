"""What a record says of who acted for whom, of content, and of the decision behind it."""

import json
from typing import Any

import pytest

from chenu.events.v1.audit_event_pb2 import AUDIT_ACTION_UPDATE
from chenu.events.v1.method_policy_pb2 import CallerKind
from kernel import audit_event
from kernel.caller import Caller
from kernel.context import background, new_id

PERSON, IDENTITY, AGENT = new_id(), new_id(), new_id()


def facts(caller: Caller | None = None, **given: Any) -> dict[str, Any]:
    with background("/x/y", caller=caller):
        made = audit_event.record(
            source="notes",
            type="note.updated",
            action=AUDIT_ACTION_UPDATE,
            subject="note/1",
            **given,
        )
    found: dict[str, Any] = json.loads(made.bytes)["data"]
    return found


def a_caller(kind: CallerKind, actor: str, agent: str = "", service: str = "") -> Caller:
    return Caller(
        tenant=new_id(), person=PERSON, identity=IDENTITY, actor=actor, agent=agent,
        service=service, kind=kind, token_id="t1",
    )  # fmt: skip


HUMAN = {"kind": "human", "person": PERSON, "identity": IDENTITY}


@pytest.mark.parametrize(
    ("caller", "behind"),
    [
        (a_caller(CallerKind.CALLER_KIND_HUMAN, "human"), None),
        (a_caller(CallerKind.CALLER_KIND_AGENT, "agent", AGENT), [HUMAN]),
        (a_caller(CallerKind.CALLER_KIND_DELEGATION, "human", service="nova"), [HUMAN]),
        (
            a_caller(CallerKind.CALLER_KIND_DELEGATION, "agent", AGENT, "nova"),
            [{"kind": "agent", "agent": AGENT}, HUMAN],
        ),
        (Caller.system(), None),
    ],
    ids=["a person", "an agent", "nova for a person", "nova for an agent", "the system"],
)
def test_the_chain_behind_whoever_acted_is_told_the_nearest_first(
    caller: Caller, behind: list[dict[str, str]] | None
) -> None:
    assert facts(caller).get("on_behalf_of") == behind


def test_content_is_told_by_digests_that_only_the_source_could_have_made() -> None:
    told = facts(before={"title": "secret"}, after={"title": "other"})
    assert told["before"] != told["after"]
    assert "secret" not in json.dumps(told)
    assert facts(before={"title": "secret"})["before"] == told["before"]
    audit_event.use_digest_key("notes", b"another key" * 3)
    try:
        assert facts(before={"title": "secret"})["before"] != told["before"]
    finally:
        audit_event._digest_keys.pop("notes")


def test_the_decision_and_the_other_targets_stand_in_the_record() -> None:
    decision = audit_event.Decision("d1", "CHECKPOINT", "destructive_action", "r1")
    told = facts(decision=decision, targets=["thread/1"])
    assert told["targets"] == ["thread/1"]
    assert told["decision"] == {
        "decision_id": "d1",
        "effect": "CHECKPOINT",
        "rule": "destructive_action",
        "revision": "r1",
    }
