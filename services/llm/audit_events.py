"""The audit events of the llm service."""

from collections.abc import Mapping
from typing import Any

from chenu.events.v1.audit_event_pb2 import AuditAction
from kernel.audit_event import AuditRecord, record


def call_recorded(entry: Mapping[str, Any]) -> AuditRecord:
    """A model was asked; what it came to stands in the ledger."""
    return record(
        source="llm",
        type="call.recorded",
        action=AuditAction.AUDIT_ACTION_EXECUTE,
        subject=f"call/{entry['call_id']}",
        outcome="OK" if entry["outcome"] == "OK" else "FAILED",
        reason="" if entry["outcome"] == "OK" else entry["outcome"],
        details={
            "run": entry["run_id"],
            "provider": entry["provider"],
            "model": entry["model_answered"] or entry["model_requested"],
            "simulated": str(entry["simulated"]).lower(),
        },
    )
