"""Reads bundles. A rule: what is not exactly what its manifest says goes to quarantine."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf.message import DecodeError

from chenu.events.v1.audit_event_pb2 import AuditAction
from chenu.events.v1.bundle_pb2 import Bundle, Manifest
from kernel.caller import SYSTEM_TENANT, UUID
from kernel.receipts import leaf_hash, root_of
from services.audit.exports.manifest import canonical

MAX_EVENT_BYTES: Final = (64 << 10) - 1  # a bundle of tiles tells lengths in two bytes
_NUL: Final = b"\\u0000"  # PostgreSQL has it neither in text nor in jsonb
_UNREADABLE: Final = (
    ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError,
)  # fmt: skip
_DENIED: Final = frozenset({"PERMISSION_DENIED", "UNAUTHENTICATED"})


class BundleInvalid(ValueError):
    """A bundle that cannot be what its source sent."""


class ManifestMismatch(BundleInvalid):
    """Its events are not those that its manifest was made of."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One entry to be: the bytes that are hashed, and what it is listed by."""

    kind: str
    source: str
    data: bytes
    tenant: str = SYSTEM_TENANT
    event_id: str | None = None
    identity: str | None = None
    action: int = 0
    subject: str = ""
    person: str = ""
    agent: str = ""
    service: str = ""
    sphere: str = ""
    stream: str = ""
    request_id: str = ""
    denial: bool = False
    type: str = ""
    method: str = ""
    outcome: str = ""
    trace_id: str = ""
    version: int = 0
    targets: str = ""
    event_time: datetime | None = None
    bundle: int | None = None
    personal: str | None = None
    reason: str = ""
    original: bytes = b""

    @property
    def hash(self) -> bytes:
        """Its leaf hash (RFC 6962)."""
        return leaf_hash(self.data)


def read_bundle(data: bytes, source: str) -> tuple[Manifest, Sequence[Leaf]]:
    """The manifest and the leaves of a bundle, its manifest's own the last.

    Raises BundleInvalid where count, root or source are not what the manifest says.
    An event that cannot be read is a quarantine leaf: its bytes are kept, never skipped.
    """
    try:
        bundle = Bundle.FromString(data)
        manifest = Manifest.FromString(bundle.manifest)
    except DecodeError:
        raise BundleInvalid("not a bundle") from None
    if manifest.source != source:
        raise BundleInvalid(f"its manifest is of {manifest.source[:50]!r}")
    if manifest.count != len(bundle.events):
        raise ManifestMismatch(f"{len(bundle.events)} events, its manifest says {manifest.count}")
    if manifest.root != root_of(leaf_hash(event) for event in bundle.events):
        raise ManifestMismatch("its events are not those that its manifest was made of")
    leaves = [read_event(event, source) for event in bundle.events]
    leaves.append(Leaf("manifest", source, bundle.manifest, subject=f"bundle/{manifest.number}"))
    return manifest, leaves


def read_event(data: bytes, source: str) -> Leaf:
    """The leaf of one event; a quarantine leaf where it cannot be read."""
    try:
        _check(len(data) <= MAX_EVENT_BYTES, "64 KiB or larger")
        event = json.loads(data.decode())
        _check(canonical(event).encode() == data, "not in its canonical form")
        _check(_NUL not in data, "a NUL character in a text")
        facts, actor = event["data"], event["data"]["actor"]
        _text(facts.get("reason", ""))
        _check(event["source"] == source, "of another source")
        return Leaf(
            kind="event",
            source=source,
            data=data,
            tenant=_uuid(event["tenant"]),
            event_id=_uuid(event["id"]),
            identity=_uuid(event["identity"]) if event.get("identity") else None,
            action=AuditAction.Value(facts["action"]),
            subject=_text(event["subject"]),
            person=_text(actor.get("person", "")),
            agent=_text(actor.get("agent", "")),
            service=_text(actor.get("service", "")),
            sphere=_text(facts.get("sphere", "")),
            stream=_text(facts.get("stream", "")),
            request_id=_text(facts.get("request_id", "")),
            denial=facts.get("outcome", "") in _DENIED,
            type=_text(event["type"]),
            method=_text(facts.get("method", "")),
            outcome=_text(facts.get("outcome", "")),
            trace_id=_text(facts.get("trace_id", "")),
            version=_version(facts.get("version", "0")),
            targets="\n".join(_text(target) for target in facts.get("targets", ())),
            personal=_uuid(facts["personal"]["subject"]) if "personal" in facts else None,
            event_time=datetime.fromisoformat(event["time"]).astimezone(UTC),
        )
    except _UNREADABLE as problem:
        return quarantined(source, data, f"{type(problem).__name__}: {problem}"[:200])


def quarantined(source: str, data: bytes, reason: str) -> Leaf:
    """A leaf for what cannot be taken in as it is: its digest goes into the log."""
    record = {"digest": leaf_hash(data).hex(), "kind": "quarantine", "source": source}
    text = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return Leaf("quarantine", source, text.encode(), reason=reason, original=data)


def _check(holds: bool, problem: str) -> None:
    if not holds:
        raise ValueError(problem)


def _uuid(value: Any) -> str:
    if not isinstance(value, str) or not UUID.fullmatch(value):
        raise ValueError("not a UUID")
    return value


def _version(value: Any) -> int:
    if not isinstance(value, str) or not value.isdecimal() or len(value) > 18:
        raise ValueError("not a version")
    return int(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value or len(value) > 500:
        raise ValueError("not a short text")
    return value
