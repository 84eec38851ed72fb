"""What became of decisions: what executors say, and a person where none knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.governance.v1.outcome_service_pb2 import Outcome
from chenu_gate.canonical_json import digest
from kernel.audit_event import AuditRecord
from kernel.caller import Caller
from kernel.database import Database, Record, Transaction
from kernel.errors import Forbidden
from kernel.statement import Statement
from kernel.watching import Changes
from services.governance import audit_events
from services.governance.errors import OutcomeConflict
from services.governance.messages import EXECUTIONS, moment
from services.governance.permits import PermitKeys
from services.governance.policy.rules import Effect
from services.governance.review.lifecycle import Execution, after_report

_RECONCILED: Final = "RECONCILED"
_UNKNOWN: Final = ExecutionState.EXECUTION_STATE_UNKNOWN
_ENDS: Final = (
    ExecutionState.EXECUTION_STATE_SUCCEEDED,
    ExecutionState.EXECUTION_STATE_FAILED,
)
# Reports of one executor are taken in one after another: each builds on the one before.
_TURN: Final = Statement("SELECT pg_advisory_xact_lock(hashtext('outcomes'), hashtext(:executor))")
_DECISIONS: Final = Statement(
    "SELECT d.decision_id, d.tenant, d.identity, d.executor, d.sphere, d.run,"
    " coalesce(c.edited_digest, d.action_digest) AS action_digest, d.effect, d.refusal,"
    " d.facts ? 'grant' AS granted,"
    " c.checkpoint_id, c.valid_until, c.version"
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
    " permit_key) SELECT * FROM unnest(CAST(:decision_id AS uuid[]), CAST(:tenant AS uuid[]),"
    " CAST(:identity AS uuid[]), CAST(:state AS text[]), CAST(:reason AS text[]),"
    " CAST(:finish_time AS timestamptz[]), CAST(:permit AS text[]), CAST(:permit_key AS text[]))"
    " ON CONFLICT (decision_id) DO UPDATE SET state = excluded.state, reason = excluded.reason,"
    " finish_time = excluded.finish_time, report_time = clock_timestamp()"
)
# Once, however often it is said.
_CONTRADICT: Final = Statement(
    "UPDATE executions SET contradicted_by = :state"
    " WHERE decision_id = CAST(:decision_id AS uuid) AND contradicted_by IS NULL"
)
_NOTICE: Final = Statement(
    "INSERT INTO notices (checkpoint_id, tenant, identity, event, version)"
    " VALUES (:checkpoint_id, :tenant, :identity, 'contradicted', :version)"
)
# In the order in which everybody who locks several checkpoints takes them.
_CONSUME: Final = Statement(
    "WITH used AS (SELECT checkpoint_id FROM checkpoints"
    " WHERE checkpoint_id = ANY(CAST(:checkpoint_ids AS uuid[]))"
    " ORDER BY checkpoint_id FOR UPDATE)"
    " UPDATE checkpoints SET executed = true FROM used"
    " WHERE checkpoints.checkpoint_id = used.checkpoint_id"
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

        What says otherwise than a person has is taken down beside that person's word, once.
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
            ended: dict[str, dict[str, Any]] = {}
            for decision_id, outcome in zip(decision_ids, outcomes, strict=True):
                row = _own(decisions, decision_id, caller)
                if decision_id in settled and outcome.state == _UNKNOWN:
                    told.append(_settled(row, settled[decision_id]))
                    continue
                _check(row, outcome)
                if decision_id in settled and _contradicts(outcome, settled[decision_id]):
                    await _contradict(tx, row, outcome)
                    continue
                after = _after(row, outcome, known)
                if after is None:
                    continue
                known[decision_id] = after
                end = _end(outcome, after)
                ended.setdefault(decision_id, self._first(row, outcome) | end).update(end)
                tx.emit(_event(row, outcome, after))
            if ended:
                await tx.execute(_RECORD, **_columns(list(ended.values())))
                used = [decisions[decision_id]["checkpoint_id"] for decision_id in ended]
                await tx.execute(_CONSUME, checkpoint_ids=[one for one in used if one])
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

    def _first(self, row: Record, outcome: Outcome) -> dict[str, Any]:
        """What the first report of a decision fixes for good."""
        own = {name: row[name] for name in ("decision_id", "tenant", "identity")}
        key = self._permits.key_of(outcome.permit)
        return own | {"permit": outcome.permit, "permit_key": key}


def _settled(decision: Record, end: Record) -> Outcome:
    return Outcome(
        decision_id=end["decision_id"],
        action_digest=decision["action_digest"],
        state=EXECUTIONS[end["state"]],
        reason=end["reason"],
    )


def _contradicts(outcome: Outcome, end: Record) -> bool:
    """Whether an executor knows another end than the one that a person has told."""
    return outcome.state in _ENDS and outcome.state != EXECUTIONS[end["state"]]


async def _contradict(tx: Transaction, row: Record, outcome: Outcome) -> None:
    """Note it, and have people hear of it: whoever looks can find out which of both is true."""
    state = _word(outcome)
    if not await tx.execute(_CONTRADICT, decision_id=row["decision_id"], state=state):
        return
    tx.emit(audit_events.decision_contradicted(row, state, cause=outcome.reason))
    if row["checkpoint_id"]:
        named = ("checkpoint_id", "tenant", "identity", "version")
        await tx.execute(_NOTICE, **{name: row[name] for name in named})


def _own(decisions: Mapping[str, Record], decision_id: str, caller: Caller) -> Record:
    """The decision, if it is this executor's; it may not learn of any other."""
    row = decisions.get(decision_id)
    if row is None or row["executor"] != caller.service:
        raise Forbidden(subject=f"decision/{decision_id}")
    return row


def _check(row: Record, outcome: Outcome) -> None:
    """Raise OutcomeConflict where the report is not of what was permitted."""
    if outcome.action_digest != row["action_digest"]:
        raise OutcomeConflict(decision_id=row["decision_id"], cause="ANOTHER_ACTION")
    if not _was_permitted(row):
        raise OutcomeConflict(decision_id=row["decision_id"], cause="NEVER_PERMITTED")


def _word(outcome: Outcome) -> str:
    return ExecutionState.Name(outcome.state).removeprefix("EXECUTION_STATE_").lower()


def _after(row: Record, outcome: Outcome, known: Mapping[str, Execution]) -> Execution | None:
    """Where the decision stands after the report; None where that is known already."""
    decision_id = row["decision_id"]
    before = known.get(decision_id, Execution.NOT_STARTED)
    try:
        after = after_report(before, Execution(_word(outcome)))
    except OutcomeConflict as conflict:
        conflict.metadata["decision_id"] = decision_id
        raise
    return None if after is before else after


def _end(outcome: Outcome, after: Execution) -> dict[str, Any]:
    told = outcome.HasField("finish_time")
    finish = moment(outcome.finish_time) if told else None
    return {"state": after.value, "reason": outcome.reason, "finish_time": finish}


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _event(row: Record, outcome: Outcome, after: Execution) -> AuditRecord:
    permit = digest(outcome.permit.encode()) if outcome.permit else ""
    return audit_events.decision_executed(
        row, after.value, run=row["run"], cause=outcome.reason, permit=permit
    )


def _was_permitted(row: Record) -> bool:
    """Whether a permit can ever have been given: allowed, or approved at some time."""
    if row["refusal"] or row["effect"] == Effect.DENY:
        return False
    approved = row["granted"] or row["valid_until"] is not None
    return bool(row["effect"] != Effect.CHECKPOINT or approved)
