"""What governance leaves in the audit log: ids, states, digests; never a word of content."""

from __future__ import annotations

from typing import Any, Final

from chenu.events.v1.audit_event_pb2 import (
    AUDIT_ACTION_APPROVE,
    AUDIT_ACTION_CHECKPOINT_APPROVED,
    AUDIT_ACTION_CHECKPOINT_CREATED,
    AUDIT_ACTION_CHECKPOINT_REJECTED,
    AUDIT_ACTION_CREATE,
    AUDIT_ACTION_DECIDE,
    AUDIT_ACTION_DELETE,
    AUDIT_ACTION_EXECUTE,
    AUDIT_ACTION_READ,
    AUDIT_ACTION_REJECT,
    AUDIT_ACTION_UPDATE,
    PHASE_OUTCOME,
)
from kernel.audit_event import AuditRecord, Decision, record
from kernel.caller import Caller

_SOURCE: Final = "governance"
_VOTES: Final = {"approve": AUDIT_ACTION_APPROVE, "reject": AUDIT_ACTION_REJECT}
_ENDS: Final = {
    "approved": AUDIT_ACTION_CHECKPOINT_APPROVED,
    "rejected": AUDIT_ACTION_CHECKPOINT_REJECTED,
}


def decision_made(decision_id: str, *, effect: str, sphere: str, **facts: str) -> AuditRecord:
    """Governance answered; facts are request_id, action_digest, kind, rule, rule_revision."""
    return record(
        source=_SOURCE,
        type="decision.made",
        action=AUDIT_ACTION_DECIDE,
        subject=f"decision/{decision_id}",
        sphere=sphere,
        reason=effect.upper(),
        details=_told(facts),
        decision=Decision(
            decision_id,
            effect.upper(),
            facts.get("rule", ""),
            facts.get("rule_revision", ""),
        ),
    )


def checkpoint_created(checkpoint_id: str, *, sphere: str, **facts: str) -> AuditRecord:
    """A person is asked; facts are decision, type, rule, etag, digests, run."""
    return record(
        source=_SOURCE,
        type="checkpoint.created",
        action=AUDIT_ACTION_CHECKPOINT_CREATED,
        subject=f"checkpoint/{checkpoint_id}",
        sphere=sphere,
        stream=f"checkpoint/{checkpoint_id}",
        version=1,
        details=_told(facts),
    )


def checkpoint_changed(row: Any, happened: str, **facts: str) -> AuditRecord:
    """It moved to a state, or something else happened; facts may name vote and option.

    `row` is the checkpoint before the change; the event belongs to its identity, whoever acts.
    """
    voted = happened == "pending"
    action = _VOTES.get(facts.get("option", ""), AUDIT_ACTION_UPDATE)
    return record(
        source=_SOURCE,
        type="checkpoint.voted" if voted else f"checkpoint.{happened}",
        action=action if voted else _ENDS.get(happened, AUDIT_ACTION_UPDATE),
        subject=f"checkpoint/{row['checkpoint_id']}",
        tenant=row["tenant"],
        identity=row["identity"],
        sphere=row["sphere"],
        stream=f"checkpoint/{row['checkpoint_id']}",
        version=row["version"] + 1,
        details=_told(
            {
                "decision": row["decision_id"],
                "action_digest": row["action_digest"],
                "etag": row["etag"],
                "run": row["run"],
                **facts,
            }
        ),
        targets=(f"decision/{row['decision_id']}",),
    )


def vote_cast(row: Any, vote_id: str, option: str) -> AuditRecord:
    """The vote that decided a checkpoint, beside the end that it brought about.

    One that leaves the checkpoint waiting is told by `checkpoint_changed` alone.
    """
    return record(
        source=_SOURCE,
        type="vote.cast",
        action=_VOTES[option],
        subject=f"vote/{vote_id}",
        tenant=row["tenant"],
        identity=row["identity"],
        sphere=row["sphere"],
        details={"decision": row["decision_id"], "etag": row["etag"], "option": option},
        targets=(f"checkpoint/{row['checkpoint_id']}",),
    )


def deputy_appointed(caller: Caller, deputy_id: str, deputy: str, end_time: str) -> AuditRecord:
    """The caller approved that somebody votes in their place; it has the id of that decision."""
    return record(
        source=_SOURCE,
        type="deputy.appointed",
        action=AUDIT_ACTION_CREATE,
        subject=f"deputy/{deputy_id}",
        tenant=caller.tenant,
        identity=caller.identity,
        details={"person": caller.person, "deputy": deputy, "end_time": end_time},
    )


def deputy_dismissed(caller: Any, deputy_id: str) -> AuditRecord:
    """Not any more."""
    return record(
        source=_SOURCE,
        type="deputy.dismissed",
        action=AUDIT_ACTION_UPDATE,
        subject=f"deputy/{deputy_id}",
        caller=caller,
    )


def decision_executed(row: Any, state: str, **facts: str) -> AuditRecord:
    """An executor reported what became of a decision; `row` is the decision."""
    told = _told({"action_digest": row["action_digest"], **facts})
    return _outcome(
        "executed", AUDIT_ACTION_EXECUTE, row, state, told, phase=PHASE_OUTCOME, **_whose(row)
    )


def decision_reconciled(caller: Caller, row: Any, state: str) -> AuditRecord:
    """A person said what became of a decision whose outcome no executor knew."""
    told = {"action_digest": row["action_digest"]}
    return _outcome("reconciled", AUDIT_ACTION_UPDATE, row, state, told, caller=caller)


def decision_contradicted(row: Any, state: str, **facts: str) -> AuditRecord:
    """An executor says of a decision what a person has told otherwise, whose word stands."""
    return _outcome("contradicted", AUDIT_ACTION_UPDATE, row, state, facts, **_whose(row))


def _outcome(
    happened: str, action: Any, row: Any, state: str, told: dict[str, str], **about: Any
) -> AuditRecord:
    return record(
        source=_SOURCE,
        type=f"decision.{happened}",
        action=action,
        subject=f"decision/{row['decision_id']}",
        sphere=row["sphere"],
        details={"state": state.upper(), "executor": row["executor"], **told},
        **about,
    )


def _whose(row: Any) -> dict[str, str]:
    return {"tenant": row["tenant"], "identity": row["identity"]}


def freeze_created(freeze_id: str, **facts: str) -> AuditRecord:
    """Somebody pulled the brake; facts are scope, value, epoch."""
    return record(
        source=_SOURCE,
        type="freeze.created",
        action=AUDIT_ACTION_CREATE,
        subject=f"freeze/{freeze_id}",
        details=_told(facts),
    )


def freeze_lifted(row: Any, caller: Caller, decision_id: str) -> AuditRecord:
    """People agreed to let the brake go; `row` is the freeze, `caller` who asked them."""
    return record(
        source=_SOURCE,
        type="freeze.lifted",
        action=AUDIT_ACTION_UPDATE,
        subject=f"freeze/{row['freeze_id']}",
        tenant=row["tenant"],
        identity=caller.identity,
        details=_told(
            {
                "decision": decision_id,
                "scope": row["scope"],
                "value": row["value"],
                "epoch": str(row["epoch"]),
            }
        ),
    )


def grant_created(grant_id: str, *, tenant: str, identity: str) -> AuditRecord:
    """An owner granted actions in advance; the grant has the id of that decision."""
    return record(
        source=_SOURCE,
        type="grant.created",
        action=AUDIT_ACTION_CREATE,
        subject=f"grant/{grant_id}",
        tenant=tenant,
        identity=identity,
    )


def grant_revoked(grant_id: str) -> AuditRecord:
    """A person ended a grant."""
    return record(
        source=_SOURCE,
        type="grant.revoked",
        action=AUDIT_ACTION_UPDATE,
        subject=f"grant/{grant_id}",
    )


def tombstone_lifted(checkpoint_id: str) -> AuditRecord:
    """A person let the like of a rejected action be asked again."""
    return record(
        source=_SOURCE,
        type="tombstone.lifted",
        action=AUDIT_ACTION_UPDATE,
        subject=f"checkpoint/{checkpoint_id}",
    )


def rules_drafted(revision: str, **facts: str) -> AuditRecord:
    """A revision of rules was put in; it holds nowhere yet."""
    return record(
        source=_SOURCE,
        type="rule_revision.created",
        action=AUDIT_ACTION_CREATE,
        subject=f"rule_revision/{revision}",
        details=_told(facts),
    )


def rule_label_moved(label: str, revision: str, **facts: str) -> AuditRecord:
    """A name points to another revision, or to none."""
    return record(
        source=_SOURCE,
        type="rule_label.moved",
        action=AUDIT_ACTION_UPDATE,
        subject=f"rule_label/{label}",
        details=_told({"revision": revision, **facts}),
    )


def rules_promoted(tenant: str, identity: str, revision: str, **facts: str) -> AuditRecord:
    """Other rules hold from this commit on; facts are decision, previous, approvals, not_before."""
    return record(
        source=_SOURCE,
        type="rule_revision.promoted",
        action=AUDIT_ACTION_UPDATE,
        subject=f"rule_revision/{revision}",
        tenant=tenant,
        identity=identity,
        details=_told(facts),
    )


def pruned(caller: Caller, table: str, rows: int, days: int) -> AuditRecord:
    """So many rows of the caller's tenant went, being older than so many days."""
    return record(
        source=_SOURCE,
        type=f"{table}.pruned",
        action=AUDIT_ACTION_DELETE,
        subject=f"{table}/{caller.tenant}",
        caller=caller,
        details={"rows": str(rows), "days": str(days)},
    )


def others_read(what: str, tenant: str, count: int, revision: str = "") -> AuditRecord:
    """Somebody looked at how others decide, or at what others asked for: replayed, or shadowed."""
    return record(
        source=_SOURCE,
        type=what,
        action=AUDIT_ACTION_READ,
        subject=f"tenant/{tenant}",
        details=_told({"count": str(count), "revision": revision}),
    )


def _told(facts: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in facts.items() if value}
