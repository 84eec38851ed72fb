"""The audit events of the courier service: ids, states, digests; never a URL or a payload."""

from collections.abc import Mapping
from typing import Final

from chenu.events.v1.audit_event_pb2 import (
    PHASE_DONE,
    PHASE_INTENT,
    PHASE_OUTCOME,
    AuditAction,
    Phase,
)
from chenu_gate.permit import PermittedAction
from kernel.audit_event import AuditRecord, Decision, record
from kernel.database import Record

SOURCE: Final = "courier"
CREATE: Final = AuditAction.AUDIT_ACTION_CREATE
UPDATE: Final = AuditAction.AUDIT_ACTION_UPDATE
DELETE: Final = AuditAction.AUDIT_ACTION_DELETE
EXECUTE: Final = AuditAction.AUDIT_ACTION_EXECUTE
_CONTENT: Final = ("name", "url", "idempotent", "disabled")


def endpoint_changed(
    happened: str,
    action: AuditAction,
    endpoint_id: str,
    version: int,
    *,
    before: Record | None = None,
    after: Record | None = None,
    **details: str,
) -> AuditRecord:
    """An endpoint was created, updated, disabled or deleted; its content is told by digests."""
    subject = f"endpoint/{endpoint_id}"
    return record(
        source=SOURCE,
        type=f"endpoint.{happened}",
        action=action,
        subject=subject,
        stream=subject,
        version=version,
        details=details,
        before={name: before[name] for name in _CONTENT} if before else None,
        after={name: after[name] for name in _CONTENT} if after else None,
    )


def delivery_started(
    delivery_id: str, endpoint_id: str, payload_digest: str, permitted: PermittedAction
) -> AuditRecord:
    """What is about to be sent, recorded before anything is."""
    action = permitted.action
    return _delivery(
        "started",
        EXECUTE,
        delivery_id,
        version=1,
        phase=PHASE_INTENT,
        targets=(f"endpoint/{endpoint_id}", f"decision/{permitted.permit.decision}"),
        decision=Decision(permitted.permit.decision, effect="ALLOW"),
        details={
            "endpoint": endpoint_id,
            "payload_digest": payload_digest,
            "decision": permitted.permit.decision,
            "action_digest": action.digest,
            "run": action.run,
            "tool": action.tool.name,
        },
    )


def delivery_ended(delivery: Record, *, tenant: str = "", identity: str = "") -> AuditRecord:
    """What became of it; a sweeper names whose it was."""
    return _delivery(
        str(delivery["state"]).lower(),
        EXECUTE,
        str(delivery["delivery_id"]),
        version=int(delivery["version"]),
        phase=PHASE_OUTCOME,
        reason=str(delivery["reason"]),
        targets=(f"endpoint/{delivery['endpoint_id']}", f"decision/{delivery['decision_id']}"),
        decision=Decision(str(delivery["decision_id"]), effect="ALLOW"),
        details={
            "endpoint": str(delivery["endpoint_id"]),
            "decision": str(delivery["decision_id"]),
            "state": str(delivery["state"]),
            "attempts": str(delivery["attempts"]),
            "http_status": str(delivery["http_status"]),
        },
        tenant=tenant,
        identity=identity,
    )


def delivery_reconciled(delivery: Record, *, tenant: str = "", identity: str = "") -> AuditRecord:
    """A person looked, and said what had become of it, here or to governance."""
    return _delivery(
        "reconciled",
        UPDATE,
        str(delivery["delivery_id"]),
        version=int(delivery["version"]),
        phase=PHASE_DONE,
        details={"state": str(delivery["state"]), "decision": str(delivery["decision_id"])},
        tenant=tenant,
        identity=identity,
    )


def channel_changed(
    happened: str, action: AuditAction, channel: Record, *, version_ahead: int = 0, **details: str
) -> AuditRecord:
    """A channel was created, enabled, disabled or deleted; its address is nobody's business."""
    subject = f"channel/{channel['channel_id']}"
    return record(
        source=SOURCE,
        type=f"channel.{happened}",
        action=action,
        subject=subject,
        stream=subject,
        version=int(channel["version"]) + version_ahead,
        details={"kind": str(channel["kind"]), **details},
        tenant=str(channel["tenant"]),
        identity=str(channel["identity"]),
    )


def notification_changed(happened: str, notification: Record, *, reason: str = "") -> AuditRecord:
    """A notification was queued, delivered, given up or replayed."""
    subject = f"notification/{notification['notification_id']}"
    return record(
        source=SOURCE,
        type=f"notification.{happened}",
        action=EXECUTE,
        subject=subject,
        stream=subject,
        version=int(notification["version"]),
        reason="" if happened == "delivered" else reason,
        details={
            "channel": str(notification["channel_id"]),
            "checkpoint": str(notification["checkpoint_id"] or ""),
            "view_digest": str(notification["view_digest"]),
            "attempts": str(notification["tries"]),
        },
        tenant=str(notification["tenant"]),
        identity=str(notification["identity"]),
    )


def interaction_taken(notification: Record, option: str) -> AuditRecord:
    """A button that decides was pressed by the channel's own user; what it counts for is a vote."""
    return record(
        source=SOURCE,
        type="interaction.taken",
        action=EXECUTE,
        subject=f"notification/{notification['notification_id']}",
        details={
            "channel": str(notification["channel_id"]),
            "checkpoint": str(notification["checkpoint_id"]),
            "view_digest": str(notification["view_digest"]),
            "option": option,
        },
        tenant=str(notification["tenant"]),
        identity=str(notification["identity"]),
    )


def interaction_explained(notification: Record, option: str, reason: str) -> AuditRecord:
    """The user was told why what was pressed did not count."""
    return record(
        source=SOURCE,
        type="interaction.explained",
        action=EXECUTE,
        subject=f"notification/{notification['notification_id']}",
        details={
            "channel": str(notification["channel_id"]),
            "checkpoint": str(notification["checkpoint_id"]),
            "option": option,
            "cause": reason,
        },
        tenant=str(notification["tenant"]),
        identity=str(notification["identity"]),
    )


def _delivery(
    happened: str,
    action: AuditAction,
    delivery_id: str,
    *,
    version: int,
    phase: Phase,
    details: Mapping[str, str],
    targets: tuple[str, ...] = (),
    decision: Decision | None = None,
    reason: str = "",
    tenant: str = "",
    identity: str = "",
) -> AuditRecord:
    subject = f"delivery/{delivery_id}"
    return record(
        source=SOURCE,
        type=f"delivery.{happened}",
        action=action,
        subject=subject,
        reason=reason,
        phase=phase,
        stream=subject,
        version=version,
        details=details,
        targets=targets,
        decision=decision,
        tenant=tenant,
        identity=identity,
    )
