"""Audit records: what happened, as canonical bytes, written with the change itself.

    tx.emit(record(source="threads", type="thread.created", action=AUDIT_ACTION_CREATE,
                   subject=f"thread/{thread_id}", sphere=sphere, stream=f"thread/{thread_id}",
                   version=1, details={"status": "ACTIVE"}))

The bytes are the RFC 8785 form of an `AuditEvent`'s protobuf JSON. Facts only:
ids, states, digests, counts; never a title, a text or an address.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from chenu.events.v1.audit_event_pb2 import PHASE_DONE, AuditAction, Phase
from kernel.caller import Caller
from kernel.context import current, new_id

MAX_EVENT_BYTES: Final = 64 << 10
_ACTIONS: Final = {number: name for name, number in AuditAction.items()}
_PHASES: Final = {number: name for name, number in Phase.items()}
_KINDS: Final = ("", "human", "agent", "delegation", "voter", "service")
_KEY: Final = re.compile(r"[a-z][a-z0-9_]*")
# For text and ASCII keys this is RFC 8785; a test compares it with a library's.
_canonical: Final = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":")
).encode


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
) -> AuditRecord:
    """The record of what the caller in hand did.

    `type` is "<noun>.<past participle>", without "chenu.<source>."; the record
    belongs to the caller's tenant and identity unless others are given (a
    sweeper acts as the system on somebody's rows).
    """
    call = current()
    caller = caller or call.caller
    tenant, identity = tenant or caller.tenant, identity or caller.identity
    event_id = new_id()
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
    }
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"chenu/{source}",
        "type": f"chenu.{source}.{type}",
        "time": _time(datetime.now(UTC)),
        "subject": subject,
        "datacontenttype": "application/json",
        "tenant": tenant,
        "identity": identity,
        "data": {key: value for key, value in data.items() if value},
    }
    if not identity:
        del event["identity"]
    encoded = _canonical(event).encode()
    if len(encoded) > MAX_EVENT_BYTES:
        raise ValueError(f"the audit event {event['type']} has {len(encoded)} bytes")
    return AuditRecord(event_id, tenant, identity, stream, version, encoded)


def _actor(caller: Caller) -> dict[str, str]:
    kind = _KINDS[caller.kind]
    actor = {
        "kind": caller.actor,
        "person": caller.person,
        "identity": caller.identity,
        "agent": caller.agent,
        "service": caller.service,
        "authentication": f"{kind}:{caller.token_id}" if kind else "",
    }
    return {key: value for key, value in actor.items() if value}


def _facts(details: Mapping[str, str]) -> dict[str, str]:
    for key, value in details.items():
        if not _KEY.fullmatch(key) or not isinstance(value, str):
            raise ValueError(f"{key!r} must be snake_case and its value text")
    return dict(details)


def _time(moment: datetime) -> str:
    """As protobuf's JSON writes it: no, three or six digits of a second."""
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    if not moment.microsecond:
        return f"{text}Z"
    digits = f"{moment.microsecond:06d}"
    return f"{text}.{digits.removesuffix('000') if digits.endswith('000') else digits}Z"
