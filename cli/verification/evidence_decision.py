"""One decision of an evidence file: from the asking to the outcome, every step again."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from chenu_gate.canonical_json import digest
from cli.verification.evidence_checkpoint import check_checkpoint
from cli.verification.evidence_records import Record, Records
from cli.verification.evidence_rules import Rules
from cli.verification.evidence_texts import Texts, check_action
from cli.verification.evidence_votes import vote_told
from cli.verification.signatures import Signatures
from cli.verification.verdict import Tampered

OWN_EXECUTOR: Final = "governance"
LEEWAY: Final = timedelta(seconds=2)
"""How far the clocks of services may differ; a permit's times are whole seconds besides."""
_EXECUTED: Final = "decision.executed"
_RECONCILED: Final = "decision.reconciled"
_CONTRADICTED: Final = "decision.contradicted"
_SETTLED: Final = "RECONCILED"
_MAX_PERMIT: Final = timedelta(seconds=60)


def check_decision(
    decision: Mapping[str, Any],
    records: Records,
    signatures: Signatures,
    texts: Texts,
    rules: Rules,
    notes: list[str],
) -> None:
    """Raise Tampered at the first thing that is not as the log and the signatures have it."""
    subject = f"decision/{decision['decision_id']}"
    made = records.one("decision.made", subject)
    _check_made(decision, made)
    approved: Record | None = None
    runs = decision["action_digest"]
    told = decision["effect"]
    if decision["checkpoint"] is not None:
        approved = check_checkpoint(decision, records, signatures, texts, rules)
        runs = decision["checkpoint"]["revisions"][-1]["action_digest"]
        told = decision["checkpoint"]["state"]
        notes += map(vote_told, decision["checkpoint"]["votes"])
    else:
        check_action(texts, decision)
        rules.check(decision, f"decision {decision['decision_id']}", effect=decision["effect"])
    for record in records.elsewhere(subject):
        if record.details.get("action_digest", runs) != runs:
            raise record.wrong(f"something else was done under {subject} than was permitted")
    executed = [one for one in records.of(subject) if one.kind in (_EXECUTED, _RECONCILED)]
    state = _check_execution(decision, runs, executed, approved or made, signatures, notes)
    if executed and approved is None and not _allowed(decision):
        raise executed[0].wrong(f"{subject} was executed, but nobody had approved it")
    notes.append(f"{subject}: {decision['tool']}, {told}, {state}")
    notes += [
        f"{subject}: its executor says {one.details['state'].lower()}, against a person's word"
        for one in records.of(subject)
        if one.kind == _CONTRADICTED
    ]


def _check_made(decision: Mapping[str, Any], made: Record) -> None:
    subject = f"decision/{decision['decision_id']}"
    made.agree(
        subject,
        action_digest=decision["action_digest"],
        request_id=decision["request_id"],
        kind=decision["kind"],
        tool=decision["tool"],
        rule=decision["rule"],
        rule_revision=decision["rule_revision"],
        refusal=decision["refusal"],
        run=decision["run_id"],
        grant=decision["facts"].get("grant"),
    )
    recorded = {
        "tenant": made.event["tenant"],
        "identity_id": made.event["identity"],
        "person_id": made.actor.get("person", ""),
        "agent": made.actor.get("agent", ""),
        "sphere": made.data.get("sphere", ""),
        "effect": str(made.data["decision"]["effect"]).lower(),
    }
    for name, value in recorded.items():
        if decision[name] != value:
            raise made.wrong(f"of {subject} the log says {name} {value!r}, not {decision[name]!r}")
    facts = decision["facts"]
    for name, known in (("person", "person_id"), ("identity", "identity_id"), ("agent", "agent")):
        if facts[name] != decision[known]:
            raise Tampered(None, f"{subject}: its facts are of another {name}")


def _allowed(decision: Mapping[str, Any]) -> bool:
    """Whether it may be executed without a checkpoint: allowed, or granted in advance."""
    if decision["refusal"] or decision["effect"] == "deny":
        return False
    return decision["effect"] != "checkpoint" or "grant" in decision["facts"]


def _check_execution(
    decision: Mapping[str, Any],
    runs: str,
    executed: list[Record],
    permitted: Record,
    signatures: Signatures,
    notes: list[str],
) -> str:
    """What became of it, in a word; `permitted` is the record that let it run."""
    subject, execution = f"decision/{decision['decision_id']}", decision["execution"]
    if execution is None:
        if executed:
            raise executed[0].wrong(f"{subject} was executed, and the document says nothing of it")
        return "not executed"
    if not executed:
        raise Tampered(None, f"the log knows of no execution of {subject}")
    last, token = executed[-1], execution["permit"]
    for record in executed:
        record.agree(subject, action_digest=runs, executor=decision["executor"])
        if record.kind == _EXECUTED:
            record.agree(subject, permit=digest(token.encode()) if token else "")
        if record.index < permitted.index:
            raise record.wrong(f"{subject} was executed before it was approved")
    last.agree(subject, state=execution["state"].upper())
    cause = last.details.get("cause", _SETTLED if last.kind == _RECONCILED else "")
    if cause != execution["reason"]:
        raise last.wrong(f"of {subject} the log says cause {cause!r}, not {execution['reason']!r}")
    if token:
        _check_permit(decision, runs, permitted, signatures)
    elif decision["executor"] != OWN_EXECUTOR:
        notes.append(f"{subject}: its executor has not kept the permit")
    return f"execution {execution['state']}"


def _check_permit(
    decision: Mapping[str, Any], runs: str, permitted: Record, signatures: Signatures
) -> None:
    """The permit is for this action, and was given after the approval and within its time."""
    what = f"the permit of decision {decision['decision_id']}"
    execution, gate = decision["execution"], decision["checkpoint"]
    permit = signatures.permit(execution["permit"], execution["permit_key"], what)
    if permit is None:
        return
    wanted = {
        "decision": decision["decision_id"],
        "action": runs,
        "audience": decision["executor"],
        "tenant": decision["tenant"],
        "identity": decision["identity_id"],
        "person": decision["person_id"],
    }
    for name, value in wanted.items():
        if getattr(permit, name) != value:
            raise Tampered(None, f"{what}: it is for another {name}")
    if permit.expires_at - permit.issued_at > _MAX_PERMIT:
        raise Tampered(None, f"{what}: it is good for longer than a permit may be")
    if permit.issued_at + timedelta(seconds=1) + LEEWAY < permitted.time:
        raise permitted.wrong(f"{what}: it was signed before this")
    for limit in (gate["valid_until"], gate["execute_by"]) if gate else ():
        if limit and permit.issued_at > datetime.fromisoformat(limit) + LEEWAY:
            raise Tampered(None, f"{what}: it was signed after the approval had lapsed")
    finished = execution["finish_time"]
    if finished and datetime.fromisoformat(finished) < permit.issued_at - LEEWAY:
        raise Tampered(None, f"{what}: it was signed after the action was done")
