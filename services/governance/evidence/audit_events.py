"""That somebody took evidence is in the log, too, with what it says."""

from __future__ import annotations

from collections.abc import Iterable

from chenu.events.v1.audit_event_pb2 import AUDIT_ACTION_READ
from kernel.audit_event import AuditRecord, record


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
