"""What people saw is what runs: no part of an action or its view changes without the digests."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import assume, given
from hypothesis import strategies as st

from chenu_gate.action import Action, Target
from chenu_gate.permit import Permit, PermitForAnotherAction, PermitRefused, mint, verify
from chenu_gate.refusal import ActionRefused
from chenu_gate.view import as_text, render, view_digest
from tests.support.actions import actions, an_action, values

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KEY = Ed25519PrivateKey.generate()
KEYS = {"k1": KEY.public_key()}


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document: members, items, and the document's own leaves."""
    inner: list[tuple[Any, ...]] = []
    if isinstance(value, dict):
        inner = [one for key, item in value.items() for one in paths(item, (*path, key))]
    elif isinstance(value, list):
        inner = [one for n, item in enumerate(value) for one in paths(item, (*path, n))]
    return [path, *inner] if path else inner


def put(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value at that place."""
    copied = json.loads(json.dumps(document))
    place = copied
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return copied


def refused(token: str, data: bytes) -> bool:
    """Whether an executor refuses these bytes under this permit."""
    try:
        verify(token, KEYS, audience="threads", action_bytes=data, now=NOW)
    except (PermitRefused, ActionRefused):
        return True
    return False


@given(data=st.data(), action=actions, other=values)
def test_row_22_any_mutation_of_an_action_is_another_view_and_is_refused_by_executors(
    data: st.DataObject, action: Action, other: Any
) -> None:
    permit = Permit.for_action(action, permit_id="p", decision="d", freeze_epoch=0, now=NOW)
    token = mint(permit, KEY, "k1")
    document = action.document()
    path = data.draw(st.sampled_from(paths(document)))
    mutated = put(document, path, other)
    assume(rfc8785.dumps(mutated) != action.canonical())

    changed = rfc8785.dumps(mutated)

    with pytest.raises((PermitRefused, ActionRefused)):
        verify(token, KEYS, audience=action.executor, action_bytes=changed, now=NOW)
    try:
        parsed = Action.parse(changed)
    except ActionRefused:
        return
    assert view_digest(render(parsed)) != view_digest(render(action))


@pytest.mark.parametrize(
    "path",
    [
        ("kind",), ("tool", "name"), ("tool", "definition"), ("executor",),
        ("principal", "tenant"), ("principal", "person"), ("principal", "identity"),
        ("principal", "agent"), ("targets", 0, "id"), ("targets", 0, "type"),
        ("targets", 0, "version"), ("targets", 0, "name"), ("arguments", "notify"),
        ("arguments", "reason"), ("source_sphere",), ("target_sphere",), ("thread",), ("run",),
    ],
)  # fmt: skip
def test_each_part_of_an_action_is_bound_by_name(path: tuple[Any, ...]) -> None:
    action = an_action()
    permit = Permit.for_action(action, permit_id="p", decision="d", freeze_epoch=0, now=NOW)
    token = mint(permit, KEY, "k1")
    others = {"kind": "send", "definition": "sha256:" + "0" * 64, "notify": 1}
    changed = put(action.document(), path, others.get(str(path[-1]), "other"))
    data = rfc8785.dumps(changed)
    assert refused(token, data)
    if path != ("executor",):
        with pytest.raises(PermitForAnotherAction):
            verify(token, KEYS, audience="threads", action_bytes=data, now=NOW)
    assert view_digest(render(Action.parse(data))) != view_digest(render(action))


@given(data=st.data(), words=st.text(max_size=20), other=values)
def test_any_mutation_of_a_view_is_another_digest(
    data: st.DataObject, words: str, other: Any
) -> None:
    view = render(an_action(), agent_words=words)
    path = data.draw(st.sampled_from(paths(view)))
    mutated = put(view, path, other)
    assume(rfc8785.dumps(mutated) != rfc8785.dumps(view))
    assert view_digest(mutated) != view_digest(view)


def test_what_is_touched_and_every_amount_is_told() -> None:
    view = render(an_action(arguments={"amount": 7, "lines": [{"price": "1\u200b2"}], "n": 3}))
    assert view["touches"] == [
        "It touches 1 × thread.",
        "Amount: amount = 7.",
        "Amount: lines[0].price = 1⟦U+200B⟧2.",
    ]


def test_what_came_before_follows_what_is_touched_in_plain_text() -> None:
    view = render(an_action()) | {"cumulative": ["Permitted today: 3."]}
    lines = as_text(view).splitlines()
    assert lines.index("Permitted today: 3.") == lines.index("It touches 1 × thread.") + 1


def test_an_identity_beside_the_own_one_is_told_in_words() -> None:
    action = an_action()
    own = action.principal.identity
    shop = Target("identity", "i-7", name="Shop\u200b")
    view = render(replace(action, targets=(shop, Target("identity", own))))
    assert view["touches"] == [
        "It touches 2 × identity.",
        f"It crosses from identity {own} to identity “Shop⟦U+200B⟧”.",
    ]
