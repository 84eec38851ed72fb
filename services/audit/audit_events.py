"""The audit events of the audit service itself: each reading of the log is in the log."""

from chenu.events.v1.audit_event_pb2 import AuditAction
from kernel.audit_event import AuditRecord, record


def entries_read(subject: str, count: int) -> AuditRecord:
    """Somebody read entries of the log."""
    return record(
        source="audit",
        type="entries.read",
        action=AuditAction.AUDIT_ACTION_READ,
        subject=subject,
        details={"count": str(count)},
    )
