"""Actions for tests: one believable example, and strategies that make any."""

from __future__ import annotations

import uuid
from string import ascii_letters, digits
from typing import Any

from hypothesis import strategies as st

from chenu_gate.action import Action, ActionKind, Principal, Target, Tool
from chenu_gate.canonical_json import MAX_INTEGER

DEFINITION = "sha256:" + "5e" * 32


def an_action(**changes: Any) -> Action:
    """Deleting a thread, with ids of its own; any field may be given."""
    principal = Principal(
        tenant=str(uuid.uuid4()),
        person=str(uuid.uuid4()),
        identity=str(uuid.uuid4()),
        agent=str(uuid.uuid4()),
    )
    given: dict[str, Any] = {
        "kind": ActionKind.DELETE,
        "tool": Tool("thread.delete", DEFINITION),
        "executor": "threads",
        "principal": principal,
        "source_sphere": "business",
        "target_sphere": "business",
        "targets": (Target("thread", str(uuid.uuid4()), "v7"),),
        "arguments": {"thread_id": "t-1", "reason": "le projet est clos", "notify": True},
        "thread": str(uuid.uuid4()),
        "run": str(uuid.uuid4()),
    }
    return Action(**given | changes)


# Not `from_regex`, which takes twice as long for the same.
identifiers = st.builds(
    str.__add__,
    st.sampled_from(ascii_letters + digits),
    st.text(ascii_letters + digits + "._:/@+-", max_size=20),
)
maybe_identifiers = identifiers | st.just("")
scalars = st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | st.text()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
arguments = st.dictionaries(st.text(), values, max_size=5)
targets = st.lists(
    st.builds(
        Target,
        identifiers,
        st.text(min_size=1, max_size=50),
        st.text(max_size=20),
        st.text(max_size=20),
    ),
    max_size=3,
    unique_by=lambda target: (target.type, target.id),
).map(tuple)
actions = st.builds(
    Action,
    kind=st.sampled_from(ActionKind),
    tool=st.builds(Tool, identifiers, st.just(DEFINITION)),
    executor=identifiers,
    principal=st.builds(Principal, identifiers, maybe_identifiers, identifiers, maybe_identifiers),
    source_sphere=maybe_identifiers,
    target_sphere=maybe_identifiers,
    targets=targets,
    arguments=arguments,
    thread=maybe_identifiers,
    run=maybe_identifiers,
)
