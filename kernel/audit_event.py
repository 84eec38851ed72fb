"""Audit records: what happened, as canonical bytes, written with the change itself.

    tx.emit(record(source="threads", type="thread.created", action=AUDIT_ACTION_CREATE,
                   subject=f"thread/{thread_id}", sphere=sphere, stream=f"thread/{thread_id}",
                   version=1, details={"status": "ACTIVE"}))

The bytes are the RFC 8785 form of an `AuditEvent`'s protobuf JSON. Facts only:
ids, states, digests, counts; never a title, a text or an address. Of content
there are keyed digests (`before`, `after`), so that nobody can try words on them.
"""

import hmac
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from chenu.events.v1.audit_event_pb2 import PHASE_DONE, AuditAction, Phase
from chenu.events.v1.method_policy_pb2 import CallerKind
from kernel.caller import Caller
from kernel.context import current, new_id

MAX_EVENT_BYTES: Final = (64 << 10) - 1
_ACTIONS: Final = {number: name for name, number in AuditAction.items()}
_PHASES: Final = {number: name for name, number in Phase.items()}
_KINDS: Final = ("", "human", "agent", "delegation", "voter", "service")
_KEY: Final = re.compile(r"[a-z][a-z0-9_]*")
# For text and ASCII keys this is RFC 8785; a test compares it with a library's.
_canonical: Final = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":")
).encode


# A process without keys of its own (a test) has digests that last as long as it does.
_digest_keys: Final[dict[str, bytes]] = {}
_ANY_KEY: Final = secrets.token_bytes(32)


@dataclass(frozen=True, slots=True)
class Decision:
    """Why it was let through, held up or refused; empty where that is not known."""

    decision_id: str = ""
    effect: str = ""
    rule: str = ""
    revision: str = ""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One event, ready for the outbox."""

    id: str
    tenant: str
    identity: str
    stream: str
    version: int
    bytes: bytes


def record(
    *,
    source: str,
    type: str,  # noqa: A002 - CloudEvents' own word
    action: AuditAction,
    subject: str,
    caller: Caller | None = None,
    tenant: str = "",
    identity: str = "",
    sphere: str = "",
    outcome: str = "OK",
    reason: str = "",
    phase: Phase = PHASE_DONE,
    stream: str = "",
    version: int = 0,
    details: Mapping[str, str] | None = None,
    targets: Sequence[str] = (),
    decision: Decision | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    personal: Mapping[str, str] | None = None,
) -> AuditRecord:
    """The record of what the caller in hand did.

    `type` is "<noun>.<past participle>", without "chenu.<source>."; the record
    belongs to the caller's tenant and identity unless others are given (a
    sweeper acts as the system on somebody's rows). Of `before` and `after`, the
    content of the subject, only keyed digests are kept; `personal` is an
    `AuditPersonal`, sealed by whoever keeps the person's key.
    """
    call = current()
    caller = caller or call.caller
    tenant, identity = tenant or caller.tenant, identity or caller.identity
    event_id, now = new_id(), Timestamp()
    now.GetCurrentTime()
    data = {
        "action": _ACTIONS[action],
        "actor": _actor(caller),
        "method": call.method,
        "sphere": sphere,
        "phase": _PHASES[phase],
        "outcome": outcome,
        "reason": reason,
        "request_id": call.request_id,
        "trace_id": call.trace_id,
        "stream": stream,
        "version": str(version) if version else "",  # int64 is text in protobuf's JSON
        "details": _facts(details) if details else "",
        "on_behalf_of": _on_behalf_of(caller),
        "targets": list(targets),
        "decision": _present(asdict(decision)) if decision else "",
        "before": keyed_digest(source, before) if before else "",
        "after": keyed_digest(source, after) if after else "",
        "personal": personal or "",
    }
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"chenu/{source}",
        "type": f"chenu.{source}.{type}",
        "time": now.ToJsonString(),
        "subject": subject,
        "datacontenttype": "application/json",
        "tenant": tenant,
        **_present({"identity": identity}),
        "data": {key: value for key, value in data.items() if value},
    }
    encoded = _canonical(event).encode()
    if len(encoded) > MAX_EVENT_BYTES:
        raise ValueError(f"the audit event {event['type']} has {len(encoded)} bytes")
    return AuditRecord(event_id, tenant, identity, stream, version, encoded)


def use_digest_key(source: str, key: bytes) -> None:
    """Have the digests of a source's content last longer than this process."""
    _digest_keys[source] = key


def keyed_digest(source: str, content: Mapping[str, Any]) -> str:
    """Tells contents apart; without the source's key it tells nothing of them."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    key = _digest_keys.get(source, _ANY_KEY)
    return "hmac-sha256:" + hmac.digest(key, text.encode(), "sha256").hex()


def _present(facts: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in facts.items() if value}


def _on_behalf_of(caller: Caller) -> list[dict[str, str]]:
    """The chain behind the one who acted; empty for a person by the person's own hand."""
    chain: list[dict[str, str]] = []
    if caller.agent and caller.kind == CallerKind.CALLER_KIND_DELEGATION:
        chain.append({"agent": caller.agent, "kind": "agent"})
    if caller.person and (caller.agent or caller.kind == CallerKind.CALLER_KIND_DELEGATION):
        chain.append({"identity": caller.identity, "kind": "human", "person": caller.person})
    return chain


def _actor(caller: Caller) -> dict[str, str]:
    kind = _KINDS[caller.kind]
    facts = {
        "kind": caller.actor,
        "person": caller.person,
        "identity": caller.identity,
        "agent": caller.agent,
        "service": caller.service,
        "authentication": f"{kind}:{caller.token_id}" if kind else "",
    }
    return _present(facts)


def _facts(details: Mapping[str, str]) -> dict[str, str]:
    for key, value in details.items():
        if not _KEY.fullmatch(key) or not isinstance(value, str):
            raise ValueError(f"{key!r} must be snake_case and its value text")
    return dict(details)
