"""What is not exactly what its manifest says is not taken for it."""

import json
from contextlib import suppress
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chenu.events.v1.bundle_pb2 import Bundle, Manifest
from kernel.receipts import leaf_hash
from services.audit.reading import BundleInvalid, read_bundle
from tests.support.identity import Person
from tests.support.source import StandInSource, an_event

SOURCE = "chenu/threads"


def a_bundle(*events: bytes) -> bytes:
    return StandInSource("threads").bundle(events)


def test_events_and_their_manifest_become_leaves_the_manifest_last() -> None:
    person, thread = Person(), f"thread/{uuid4()}"
    event = an_event(person, subject=thread, stream=thread)
    manifest, leaves = read_bundle(a_bundle(event), SOURCE)
    assert [leaf.kind for leaf in leaves] == ["event", "manifest"]
    assert leaves[0].data == event
    assert (leaves[0].subject, leaves[0].stream) == (thread, thread)
    assert leaves[0].tenant == person.tenant
    assert manifest.count == 1


def test_an_empty_bundle_is_a_heartbeat() -> None:
    _, leaves = read_bundle(a_bundle(), SOURCE)
    assert [leaf.kind for leaf in leaves] == ["manifest"]


@pytest.mark.parametrize("change", ["drop", "add", "swap", "alter", "source"])
def test_a_bundle_that_was_touched_is_refused(change: str) -> None:
    person = Person()
    bundle = Bundle.FromString(a_bundle(an_event(person), an_event(person)))
    match change:
        case "drop":
            del bundle.events[1]
        case "add":
            bundle.events.append(an_event(person))
        case "swap":
            bundle.events.append(bundle.events.pop(0))
        case "alter":
            bundle.events[0] = bundle.events[0].replace(b"personal", b"business")
        case "source":
            manifest = Manifest.FromString(bundle.manifest)
            manifest.source = "chenu/nova"
            bundle.manifest = manifest.SerializeToString()
    with pytest.raises(BundleInvalid):
        read_bundle(bundle.SerializeToString(), SOURCE)


@pytest.mark.parametrize(
    "broken",
    [
        b"{}",
        b"[]",
        b"\xff",
        b"null",
        an_event(Person(), source="chenu/nova"),
        an_event(Person(), action="AUDIT_ACTION_INVENTED"),
        an_event(Person(), subject="x" * 501),
        an_event(Person(), id="not-a-uuid"),
        an_event(Person(), filler="x" * (64 << 10)),
        b"[" * 60_000,
        an_event(Person()).decode().encode("utf-16"),
        b"\xef\xbb\xbf" + an_event(Person()),
        an_event(Person(), sphere="\0"),
        an_event(Person(), details={"comment": "\0"}),
        an_event(Person(), outcome="PERMISSION_DENIED", reason=["FORBIDDEN"]),
        an_event(Person()).replace(b'"thread/', b'"\\ud800/'),
        an_event(Person()).replace(b":", b": "),
        an_event(Person()).replace(b"2026-11-22T00:00:00Z", b"0001-01-01T00:00:00+14:00"),
    ],
)
def test_an_event_that_cannot_be_read_is_quarantined_with_its_digest_and_its_bytes(
    broken: bytes,
) -> None:
    _, leaves = read_bundle(a_bundle(broken, an_event(Person())), SOURCE)
    assert [leaf.kind for leaf in leaves] == ["quarantine", "event", "manifest"]
    assert json.loads(leaves[0].data)["digest"] == leaf_hash(broken).hex()
    assert leaves[0].original == broken


@given(st.binary(max_size=200))
def test_any_bytes_are_a_bundle_or_refused(data: bytes) -> None:
    with suppress(BundleInvalid):
        read_bundle(data, SOURCE)
