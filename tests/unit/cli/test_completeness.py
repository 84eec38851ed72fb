"""What the log was never told is found: a version between others, an intent's outcome."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.verification.completeness import Completeness


def leaf(subject: str, *, time: str = "2026-11-22T00:00:00Z", **data: Any) -> bytes:
    event = {"data": data, "source": "chenu/courier", "subject": subject, "time": time}
    return json.dumps(event, sort_keys=True, separators=(",", ":")).encode()


def version(stream: str, number: int) -> bytes:
    return leaf(stream, stream=stream, version=str(number))


def warned(*leaves: bytes, **how: bool) -> list[str]:
    completeness = Completeness(**how)
    for index, one in enumerate(leaves):
        completeness.look(index, one)
    return completeness.warnings()


@given(
    st.dictionaries(st.sampled_from("abc"), st.permutations(range(1, 7))),
    st.sets(st.tuples(st.sampled_from("abc"), st.integers(1, 6))),
    st.randoms(use_true_random=False),
)
def test_a_gap_is_told_of_exactly_where_a_lower_version_is_nowhere(
    streams: dict[str, list[int]], lost: set[tuple[str, int]], random: Any
) -> None:
    kept = [(name, n) for name, all_ in streams.items() for n in all_ if (name, n) not in lost]
    random.shuffle(kept)
    expected = {name for name, n in kept if any((name, lower) in lost for lower in range(1, n))}
    found = warned(*(version(name, n) for name, n in kept))
    assert {one.split(": ")[2].split()[0] for one in found} == expected
    assert all(one.startswith("VERSION_GAP: record ") for one in found)


def test_a_gap_names_the_first_record_after_it_and_what_is_missing() -> None:
    (found,) = warned(version("thread/1", 1), version("thread/1", 4), version("thread/1", 3))
    assert found == ("VERSION_GAP: record 2: thread/1 is at version 3, and version 2 is nowhere")


def test_in_a_pruned_log_a_stream_begins_where_it_is_first_seen() -> None:
    assert warned(version("a", 5), version("a", 6), pruned=True) == []
    assert warned(version("a", 5), version("a", 7), pruned=True)
    assert warned(version("a", 5), version("a", 6))


def test_where_streams_are_seen_in_part_versions_are_not_looked_at() -> None:
    assert warned(version("a", 5), streams=False) == []


INTENT, OUTCOME = {"phase": "PHASE_INTENT"}, {"phase": "PHASE_OUTCOME"}
LATER = "2026-11-22T00:15:00.123Z"


@pytest.mark.parametrize(
    ("leaves", "unfinished"),
    [
        ([leaf("delivery/1", **INTENT), leaf("x", time=LATER, **OUTCOME)], [0]),
        ([leaf("delivery/1", **INTENT), leaf("delivery/1", time=LATER, **OUTCOME)], []),
        # Fetched late from its source, an intent may stand after its outcome.
        ([leaf("d", **OUTCOME), leaf("d", **INTENT), leaf("x", time=LATER, **OUTCOME)], []),
        # Each of two attempts has an outcome of its own.
        (
            [leaf("d", **INTENT), leaf("d", **OUTCOME), leaf("d", **INTENT),
             leaf("x", time=LATER, **OUTCOME)],
            [2],
        ),
        # It may still be going on.
        ([leaf("d", **INTENT), leaf("x", time="2026-11-22T00:14:59Z", **OUTCOME)], []),
    ],
)  # fmt: skip
def test_an_intent_that_nothing_ends_is_told_of_once_it_cannot_be_under_way(
    leaves: list[bytes], unfinished: list[int]
) -> None:
    found = warned(*leaves, streams=False)
    assert [int(one.split()[2].rstrip(":")) for one in found] == unfinished
    assert all(one.startswith("INTENT_WITHOUT_OUTCOME: ") for one in found)


def test_what_is_no_event_is_passed_over() -> None:
    poison = [b'"version":"', b'{"version":"1"}', b'["PHASE_INTENT"]', b'{"data":{"version":"x"}}']
    assert warned(*poison) == []


def test_many_are_counted_and_some_of_them_told() -> None:
    found = warned(*(version(f"a/{n}", 2) for n in range(30)))
    assert (len(found), found[-1]) == (21, "VERSION_GAP: 30 in all")
