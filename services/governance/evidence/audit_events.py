"""That somebody took evidence is in the log, too, with what it says; and what it will need."""

from __future__ import annotations

from collections.abc import Iterable

from chenu.events.v1.audit_event_pb2 import AUDIT_ACTION_CREATE, AUDIT_ACTION_READ
from kernel.audit_event import AuditRecord, record
from kernel.caller import Caller


def evidence_exported(evidence_id: str, *, document: str, decisions: Iterable[str]) -> AuditRecord:
    """`document` is the digest of what it says of the decisions."""
    return record(
        source="governance",
        type="evidence.exported",
        action=AUDIT_ACTION_READ,
        subject=f"evidence/{evidence_id}",
        details={"document": document},
        targets=[f"decision/{decision_id}" for decision_id in decisions],
    )


def built_in_rules_kept(revision: str) -> AuditRecord:
    """A release has begun to serve whose built-in rules none had before."""
    return record(
        source="governance",
        type="built_in_rules.kept",
        action=AUDIT_ACTION_CREATE,
        subject=f"rules/{revision}",
        caller=Caller.system(service="governance"),
        details={"revision": revision},
    )
