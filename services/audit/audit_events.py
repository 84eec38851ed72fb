"""The audit events of the audit service itself: each reading of the log is in the log."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from chenu.events.v1.audit_event_pb2 import (
    PHASE_DONE,
    PHASE_INTENT,
    PHASE_OUTCOME,
    AuditAction,
    Phase,
)
from kernel.audit_event import AuditRecord, Decision, record
from services.audit.exports.manifest import canonical

_ERASURE: Final[Mapping[Phase, str]] = {
    PHASE_INTENT: "erasure_started",
    PHASE_DONE: "erasure_repeated",
    PHASE_OUTCOME: "erased",
}


def entries_read(subject: str, count: int) -> AuditRecord:
    """Somebody read entries of the log."""
    return record(
        source="audit",
        type="entries.read",
        action=AuditAction.AUDIT_ACTION_READ,
        subject=subject,
        details={"count": str(count)},
    )


def retention_read(what: str, tenant: str, count: int) -> AuditRecord:
    """Somebody looked at the tenant's "holds" or "erasures", which name people."""
    return record(
        source="audit",
        type=f"{what}.read",
        action=AuditAction.AUDIT_ACTION_READ,
        subject=f"tenant/{tenant}",
        details={"count": str(count)},
    )


def alert_changed(
    happened: str, alert_id: str, kind: str, source: str, subject: str, comment: str = ""
) -> AuditRecord:
    """Something is amiss with the delivery of events, or was mended, or looked into."""
    opened = happened == "opened"
    return record(
        source="audit",
        type=f"alert.{happened}",
        action=AuditAction.AUDIT_ACTION_CREATE if opened else AuditAction.AUDIT_ACTION_UPDATE,
        subject=f"alert/{alert_id}",
        details={"kind": kind, "source": source, "about": subject},
        after={"comment": comment} if comment else None,
    )


def violation_found(
    target: str, *, tenant: str, identity: str, kind: str, index: int, person: str, reason: str
) -> AuditRecord:
    """A refused call had meant something of another identity, whose record this is.

    Whoever was refused does not see it, and so learns nothing of what exists.
    """
    return record(
        source="audit",
        type="violation.found",
        action=AuditAction.AUDIT_ACTION_IDENTITY_VIOLATION,
        subject=target,
        tenant=tenant,
        identity=identity,
        outcome="PERMISSION_DENIED",
        reason=reason,
        details={"kind": kind, "entry": str(index), "person": person},
        decision=Decision(effect="DENY", rule=kind),
    )


def entries_exported(export: str, manifest: Mapping[str, Any]) -> AuditRecord:
    """Somebody takes entries out of the log; the filters stand in the file that they get."""
    return record(
        source="audit",
        type="entries.exported",
        action=AuditAction.AUDIT_ACTION_READ,
        subject=f"export/{export}",
        details={
            "format": manifest["format"],
            "count": str(manifest["records"]),
            "tree_size": str(manifest["tree_size"]),
            "indexes": manifest["indexes"],
            "opened": str(not manifest["redacted"]).lower(),
            "filters": "sha256:" + sha256(canonical(manifest["filters"]).encode()).hexdigest(),
        },
    )


def keys_changed(before: Sequence[str], now: Sequence[str]) -> AuditRecord:
    """Other keys sign the log than before; each is told by its id."""
    return record(
        source="audit",
        type="keys.changed",
        action=AuditAction.AUDIT_ACTION_UPDATE,
        subject="log/keys",
        details={"before": ",".join(before), "now": ",".join(now)},
    )


def subject_erased(
    phase: Phase,
    person: str,
    rule: str,
    count: int,
    *,
    outcome: str = "OK",
    tenant: str = "",
    identity: str = "",
) -> AuditRecord:
    """A person is erased: before it, and what became of it; asked for once more, by itself."""
    subject = f"user/{person}"
    return record(
        source="audit",
        type=f"subject.{_ERASURE[phase]}",
        action=AuditAction.AUDIT_ACTION_DELETE,
        subject=subject,
        tenant=tenant,
        identity=identity,
        phase=phase,
        outcome=outcome,
        details={"rule": rule, "records": str(count)},
    )


def hold_changed(happened: str, hold: Any) -> AuditRecord:
    """A legal hold was placed or released."""
    placed = happened == "placed"
    about = {"person": hold["person"]} if hold["person"] else {}
    return record(
        source="audit",
        type=f"hold.{happened}",
        action=AuditAction.AUDIT_ACTION_CREATE if placed else AuditAction.AUDIT_ACTION_UPDATE,
        subject=f"hold/{hold['hold_id']}",
        details={"matter": hold["matter"], **about},
    )


def entries_pruned(before: int, rule: str, count: int) -> AuditRecord:
    """The log begins later now."""
    return record(
        source="audit",
        type="entries.pruned",
        action=AuditAction.AUDIT_ACTION_DELETE,
        subject="log/entries",
        details={"minimum_index": str(before), "rule": rule, "records": str(count)},
    )


def log_thinned(what: str, count: int) -> AuditRecord:
    """Of "cosignatures" or "tree_heads" made more than a day ago the last of each hour stays."""
    return record(
        source="audit",
        type=f"{what}.thinned",
        action=AuditAction.AUDIT_ACTION_DELETE,
        subject=f"log/{what}",
        details={"rule": "hourly-after-a-day", "count": str(count)},
    )
