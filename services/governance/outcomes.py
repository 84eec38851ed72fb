"""What became of decisions: what executors say, and a person where none knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Final

from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.governance.v1.outcome_service_pb2 import Outcome
from chenu_gate.canonical_json import digest
from kernel.caller import Caller
from kernel.database import Database, Record, Transaction
from kernel.errors import Forbidden
from kernel.statement import Statement
from kernel.watching import Changes
from services.governance import audit_events
from services.governance.errors import OutcomeConflict
from services.governance.messages import EXECUTIONS
from services.governance.permits import PermitKeys
from services.governance.policy.rules import Effect
from services.governance.review.lifecycle import Execution, after_report

_RECONCILED: Final = "RECONCILED"
_UNKNOWN: Final = ExecutionState.EXECUTION_STATE_UNKNOWN
# Reports of one executor are taken in one after another: each builds on the one before.
_TURN: Final = Statement("SELECT pg_advisory_xact_lock(hashtext('outcomes'), hashtext(:executor))")
_DECISIONS: Final = Statement(
    "SELECT d.decision_id, d.tenant, d.identity, d.executor, d.sphere, d.run,"
    " coalesce(c.edited_digest, d.action_digest) AS action_digest, d.effect, d.refusal,"
    " d.facts ? 'grant' AS granted,"
    " c.checkpoint_id, c.valid_until"
    " FROM decisions AS d LEFT JOIN checkpoints AS c USING (decision_id)"
    " WHERE d.decision_id = ANY(CAST(:decision_ids AS uuid[]))"
)
# Of one's own identity only: row-level security shows no other's.
_OWN: Final = Statement(
    "SELECT decision_id, tenant, identity, executor, sphere, action_digest FROM decisions"
    " WHERE decision_id = CAST(:decision_id AS uuid)"
    " AND identity = (SELECT current_setting('chenu.identity')::uuid)"
)
_SETTLE: Final = Statement(
    f"UPDATE executions SET state = :state, reason = '{_RECONCILED}',"  # noqa: S608 - a constant
    " finish_time = clock_timestamp(), report_time = clock_timestamp()"
    " WHERE decision_id = CAST(:decision_id AS uuid) AND state = 'unknown'"
)
_KNOWN: Final = Statement(
    "SELECT decision_id, state, reason FROM executions"
    " WHERE decision_id = ANY(CAST(:decision_ids AS uuid[]))"
)
_RECORD: Final = Statement(
    "INSERT INTO executions (decision_id, tenant, identity, state, reason, finish_time, permit,"
    " permit_key) VALUES (:decision_id, :tenant, :identity, :state, :reason, :finish_time,"
    " :permit, :permit_key)"
    " ON CONFLICT (decision_id) DO UPDATE SET state = excluded.state, reason = excluded.reason,"
    " finish_time = excluded.finish_time, report_time = clock_timestamp()"
)
_CONSUME: Final = Statement(
    "UPDATE checkpoints SET executed = true WHERE checkpoint_id = :checkpoint_id"
)


class Outcomes:
    """Takes in reports, all of a request or none of it, and settles what is unknown."""

    def __init__(
        self, database: Database, worker: Database, changes: Changes, permits: PermitKeys
    ) -> None:
        self._database, self._worker = database, worker
        self._changes, self._permits = changes, permits

    async def report(self, caller: Caller, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Record what is new; what people have settled of what is told as UNKNOWN.

        OutcomeConflict names the first decision that is contradicted.
        """
        decision_ids = [outcome.decision_id.lower() for outcome in outcomes]
        async with self._worker.work() as tx:
            await tx.execute(_TURN, executor=caller.service)
            rows = await tx.fetch(_DECISIONS, decision_ids=decision_ids)
            decisions = {row["decision_id"]: row for row in rows}
            ends = await tx.fetch(_KNOWN, decision_ids=decision_ids)
            known = {row["decision_id"]: Execution(row["state"]) for row in ends}
            settled = {row["decision_id"]: row for row in ends if row["reason"] == _RECONCILED}
            told = []
            for decision_id, outcome in sorted(
                zip(decision_ids, outcomes, strict=True), key=lambda one: _order(decisions, one[0])
            ):
                row = _own(decisions, decision_id, caller)
                if decision_id in settled and outcome.state == _UNKNOWN:
                    told.append(_settled(row, settled[decision_id]))
                    continue
                signed_by = self._permits.key_of(outcome.permit)
                await _record(tx, row, outcome, known, signed_by)
        for tenant in {row["tenant"] for row in rows}:
            self._changes.notify(tenant)
        return told

    async def reconcile(self, caller: Caller, decision_id: str, state: Execution) -> None:
        """Say what became of the caller's decision; OutcomeConflict unless it is UNKNOWN."""
        async with self._database.transaction(caller) as tx:
            row = await tx.fetch_one(_OWN, decision_id=decision_id)
        if row is None:
            raise Forbidden(subject=f"decision/{decision_id}")
        async with self._worker.work() as tx:
            await tx.execute(_TURN, executor=row["executor"])
            if not await tx.execute(_SETTLE, decision_id=decision_id, state=state.value):
                known = await tx.fetch(_KNOWN, decision_ids=[decision_id])
                found = known[0]["state"] if known else Execution.NOT_STARTED.value
                raise OutcomeConflict(known=found.upper(), reported=state.name)
            tx.emit(audit_events.decision_reconciled(caller, row, state.value))
        self._changes.notify(row["tenant"])


def _settled(decision: Record, end: Record) -> Outcome:
    return Outcome(
        decision_id=end["decision_id"],
        action_digest=decision["action_digest"],
        state=EXECUTIONS[end["state"]],
        reason=end["reason"],
    )


def _order(decisions: Mapping[str, Record], decision_id: str) -> str:
    """By checkpoint, as everybody who locks several of them does."""
    row = decisions.get(decision_id)
    return (row["checkpoint_id"] or "") if row is not None else ""


def _own(decisions: Mapping[str, Record], decision_id: str, caller: Caller) -> Record:
    """The decision, if it is this executor's; it may not learn of any other."""
    row = decisions.get(decision_id)
    if row is None or row["executor"] != caller.service:
        raise Forbidden(subject=f"decision/{decision_id}")
    return row


async def _record(
    tx: Transaction, row: Record, outcome: Outcome, known: dict[str, Execution], signed_by: str
) -> None:
    decision_id = row["decision_id"]
    if outcome.action_digest != row["action_digest"]:
        raise OutcomeConflict(decision_id=decision_id, cause="ANOTHER_ACTION")
    if not _was_permitted(row):
        raise OutcomeConflict(decision_id=decision_id, cause="NEVER_PERMITTED")
    before = known.get(decision_id, Execution.NOT_STARTED)
    name = ExecutionState.Name(outcome.state).removeprefix("EXECUTION_STATE_")
    try:
        after = after_report(before, Execution(name.lower()))
    except OutcomeConflict as conflict:
        conflict.metadata["decision_id"] = decision_id
        raise
    if after is before:
        return
    known[decision_id] = after
    finish = outcome.finish_time.ToDatetime(UTC) if outcome.HasField("finish_time") else None
    await tx.execute(
        _RECORD,
        decision_id=decision_id,
        tenant=row["tenant"],
        identity=row["identity"],
        state=after.value,
        reason=outcome.reason,
        finish_time=finish,
        permit=outcome.permit,
        permit_key=signed_by,
    )
    if row["checkpoint_id"] is not None:
        await tx.execute(_CONSUME, checkpoint_id=row["checkpoint_id"])
    tx.emit(
        audit_events.decision_executed(
            row,
            after.value,
            run=row["run"],
            cause=outcome.reason,
            permit=digest(outcome.permit.encode()) if outcome.permit else "",
        )
    )


def _was_permitted(row: Record) -> bool:
    """Whether a permit can ever have been given: allowed, or approved at some time."""
    if row["refusal"] or row["effect"] == Effect.DENY:
        return False
    approved = row["granted"] or row["valid_until"] is not None
    return bool(row["effect"] != Effect.CHECKPOINT or approved)
