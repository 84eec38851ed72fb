from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chenu.threads.v1.thread_event_pb2 import ThreadEventType
from chenu.threads.v1.thread_pb2 import Sphere
from chenu_gate.action import Target
from services.threads.judged_effects import target_unchanged
from services.threads.search import snippet
from services.threads.tools import TOOLS
from services.threads.words import EVENT_TYPES, SPHERES
from tests.support.actions import an_action


def a_thread(version: int, run: str | None = None, before: int | None = None) -> dict[str, Any]:
    return {"version": version, "changed_run": run, "version_before_run": before}


RUN = "0190b6a0-0000-7000-8000-000000000001"
ANOTHER = "0190b6a0-0000-7000-8000-000000000002"


@pytest.mark.parametrize(
    ("thread", "seen", "run", "unchanged"),
    [
        (a_thread(3), "v3", RUN, True),
        (a_thread(4), "v3", RUN, False),
        (a_thread(5, RUN, 3), "v3", RUN, True),
        (a_thread(5, RUN, 3), "v5", RUN, True),
        (a_thread(5, RUN, 3), "v4", RUN, False),
        (a_thread(5, RUN, 3), "v3", ANOTHER, False),
        (a_thread(5, RUN, 3), "v3", "", False),
        (a_thread(5, "", 3), "v3", "", False),
        (a_thread(5), "vNone", "", False),
        (a_thread(5), "", RUN, False),
    ],
)
def test_a_target_is_unchanged_as_seen_or_but_for_the_same_run(
    thread: dict[str, Any], seen: str, run: str, unchanged: bool
) -> None:
    action = an_action(targets=(Target("thread", "t", seen),), run=run)

    assert target_unchanged(thread, action) is unchanged


def test_words_are_those_of_the_product() -> None:
    assert SPHERES.word(Sphere.SPHERE_CREATIVE_STUDIO) == "creative_studio"
    assert SPHERES.word(Sphere.SPHERE_UNSPECIFIED, "personal") == "personal"
    assert EVENT_TYPES.word(ThreadEventType.THREAD_EVENT_TYPE_SUMMARY_SNAPSHOT) == (
        "summary.snapshot"
    )
    assert [SPHERES.number(word) for word in SPHERES] == list(range(1, 10))
    # The design's eighteen, and the three other ends of a checkpoint (docs/decisions.md, 14).
    assert len(list(EVENT_TYPES)) == 18 + 3


def test_a_snippet_shows_the_place_and_marks_what_is_cut() -> None:
    text = "a " * 100 + "the needle lies here" + " b" * 100

    shown = snippet(text, "NEEDLE")

    assert "the needle lies here" in shown
    assert shown.startswith("…")
    assert shown.endswith("…")
    assert len(shown) < 200
    assert snippet("short", "missing") == "short"
    assert snippet("", "x") == ""


@given(st.text(max_size=400), st.text(max_size=20))
def test_a_snippet_is_short_whatever_the_text(text: str, query: str) -> None:
    assert len(snippet(text, query)) <= len(query) + 162


def test_every_tool_that_needs_a_thread_or_an_identity_names_it_as_its_target() -> None:
    for tool in TOOLS:
        needed = [name for name in ("thread", "identity") if f'"{name}":' in tool.input_schema]
        assert [t.argument for t in tool.target_arguments] == needed
        of_any_version = {t.argument for t in tool.target_arguments if t.any_version}
        expected = {"thread"} if tool.name == "thread.append" else set(needed) - {"thread"}
        assert of_any_version == expected, tool.name
