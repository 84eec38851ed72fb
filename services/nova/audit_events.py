"""The audit events of the nova service: each says who, which run, and what became of it."""

from chenu.events.v1.audit_event_pb2 import AuditAction
from chenu.nova.v1.run_pb2 import RunState
from chenu.threads.v1.thread_pb2 import Sphere
from kernel.audit_event import AuditRecord, record
from services.nova.record import RunRecord


def _event(
    run: RunRecord, happened: str, action: AuditAction, outcome: str = "OK", reason: str = ""
) -> AuditRecord:
    subject = f"run/{run.run.run_id}"
    return record(
        source="nova",
        type=f"run.{happened}",
        action=action,
        subject=subject,
        caller=run.caller,
        sphere=Sphere.Name(run.run.sphere).removeprefix("SPHERE_").lower(),
        outcome=outcome,
        reason=reason,
        stream=subject,
        version=run.next_version(),
        details={
            "state": RunState.Name(run.run.state).removeprefix("RUN_STATE_"),
            "round": str(run.run.round),
            "intent": run.run.intent.kind,
            "actions": str(len(run.run.actions)),
        },
    )


def accepted(run: RunRecord) -> AuditRecord:
    """A request became a run; an agent's is a task of that agent."""
    agents = run.caller.actor == "agent"
    action = AuditAction.AUDIT_ACTION_AGENT_TASK if agents else AuditAction.AUDIT_ACTION_CREATE
    return _event(run, "accepted", action)


def cancel_requested(run_id: str) -> AuditRecord:
    """Somebody wants the run to end; its worker ends it, and says so in the run's own stream."""
    return record(
        source="nova",
        type="run.cancel_requested",
        action=AuditAction.AUDIT_ACTION_UPDATE,
        subject=f"run/{run_id}",
    )


def blocked(run: RunRecord) -> AuditRecord:
    """The run waits for a person."""
    return _event(run, "blocked", AuditAction.AUDIT_ACTION_UPDATE, reason="CHECKPOINT_REQUIRED")


def resumed(run: RunRecord) -> AuditRecord:
    """The run goes on after a checkpoint was decided, or under another worker."""
    return _event(run, "resumed", AuditAction.AUDIT_ACTION_UPDATE)


def ended(run: RunRecord) -> AuditRecord:
    """The run has come to its end."""
    state = RunState.Name(run.run.state).removeprefix("RUN_STATE_")
    outcome = "OK" if run.run.state == RunState.RUN_STATE_SUCCEEDED else state
    return _event(run, "ended", AuditAction.AUDIT_ACTION_EXECUTE, outcome, run.run.error_reason)
