"""The events of a decision, as they are stored with its row."""

from __future__ import annotations

from typing import Any

from chenu_gate.canonical_json import digest, write
from kernel.audit_event import AuditRecord
from services.governance import audit_events
from services.governance.policy.rule import as_told


def outbox_rows(row: dict[str, Any]) -> list[dict[str, Any]]:
    """What a decision says of itself, and of the checkpoint that it makes."""
    return [outbox_row(event) for event in _events(row)]


def _events(row: dict[str, Any]) -> list[AuditRecord]:
    common = {name: row[name] for name in ("action_digest", "rule", "run")}
    made = audit_events.decision_made(
        row["decision_id"],
        effect=row["effect"],
        sphere=row["sphere"],
        request_id=row["request_id"],
        kind=row["kind"],
        tool=row["tool"],
        rule_revision=row["rule_revision"],
        refusal=row["refusal"],
        grant=row["facts"].get("grant", ""),
        **common,
    )
    if row["checkpoint"] is None:
        return [made]
    created = audit_events.checkpoint_created(
        row["checkpoint"]["checkpoint_id"],
        sphere=row["sphere"],
        decision=row["decision_id"],
        type=row["checkpoint"]["type"],
        etag=row["checkpoint"]["etag"],
        approval=digest(write(row["checkpoint"]["approval"])),
        facts=digest(write(as_told(row["facts"]))),
        **common,
    )
    return [made, created]


def outbox_row(event: AuditRecord) -> dict[str, Any]:
    """The event as a statement that stores it with other things takes it."""
    return {
        "id": event.id,
        "stream": event.stream,
        "version": event.version,
        "event": event.bytes.decode(),
    }
