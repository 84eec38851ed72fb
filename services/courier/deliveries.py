"""Deliveries: what was sent, and what became of it."""

from datetime import datetime
from typing import Final

from chenu_gate.executor import Execution, Executions, ExecutionState, OutcomeConflict
from kernel.context import new_id
from kernel.database import Record, Transaction
from kernel.errors import Forbidden
from kernel.statement import Statement
from services.courier import audit_events
from services.courier.errors import DeliveryNotUnknown
from services.courier.sending import Ending

START: Final = Statement(
    "INSERT INTO courier.deliveries (delivery_id, tenant, identity, endpoint_id, decision_id,"
    " state, payload_digest, attempts, http_status, reason, reconciled, comment, version)"
    " VALUES (:delivery_id, current_setting('chenu.tenant')::uuid,"
    " current_setting('chenu.identity')::uuid, :endpoint_id, :decision_id, 'RUNNING',"
    " :payload_digest, 0, 0, '', false, '', 1)"
)
FINISH: Final = Statement(
    "UPDATE courier.deliveries SET state = :state, reason = :reason, attempts = :attempts,"
    " http_status = :http_status, finish_time = clock_timestamp(), version = version + 1"
    " WHERE decision_id = :decision_id AND (state = 'RUNNING' OR state = 'UNKNOWN')"
    " AND NOT reconciled RETURNING *"
)
GIVE_UP: Final = Statement(
    "UPDATE courier.deliveries SET state = 'UNKNOWN', reason = :reason,"
    " finish_time = clock_timestamp(), version = version + 1"
    " WHERE decision_id = :decision_id AND state = 'RUNNING' RETURNING *"
)
RECONCILE: Final = Statement(
    "UPDATE courier.deliveries SET state = :state, reason = 'RECONCILED', reconciled = true,"
    " comment = :comment, finish_time = clock_timestamp(), version = version + 1"
    " WHERE decision_id = :decision_id AND state = 'UNKNOWN' RETURNING *"
)
GET: Final = Statement("SELECT * FROM courier.deliveries WHERE delivery_id = :delivery_id")
BY_DECISION: Final = Statement("SELECT * FROM courier.deliveries WHERE decision_id = :decision_id")
LIST: Final = Statement(
    "SELECT * FROM courier.deliveries"
    " WHERE (create_time, delivery_id)"
    " < (:before_time, :before_id)"
    " AND (:state = '' OR state = :state)"
    " AND (CAST(:endpoint_id AS uuid) IS NULL OR endpoint_id = :endpoint_id)"
    " ORDER BY create_time DESC, delivery_id DESC LIMIT :limit"
)


async def start(tx: Transaction, endpoint_id: str, decision_id: str, payload_digest: str) -> str:
    """Note that something is about to be sent; answers with the delivery's id."""
    delivery_id = new_id()
    await tx.execute(
        START,
        delivery_id=delivery_id,
        endpoint_id=endpoint_id,
        decision_id=decision_id,
        payload_digest=payload_digest,
    )
    return delivery_id


async def finish(tx: Transaction, decision_id: str, ending: Ending) -> None:
    """Note how it ended; an end that came to be unknown may become known."""
    row = await tx.fetch_one(
        FINISH,
        decision_id=decision_id,
        state=ending.state.value,
        reason=ending.reason,
        attempts=ending.attempts,
        http_status=ending.http_status,
    )
    if row is not None:
        # Kept whatever the backlog: it has happened.
        tx.keep(audit_events.delivery_ended(row))


async def give_up(tx: Transaction, execution: Execution) -> None:
    """Note that the end of an overdue delivery is not known; on behalf of whose it was."""
    row = await tx.fetch_one(GIVE_UP, decision_id=execution.decision_id, reason=execution.reason)
    if row is not None:
        tx.keep(
            audit_events.delivery_ended(row, tenant=execution.tenant, identity=execution.identity)
        )


async def get(tx: Transaction, delivery_id: str) -> Record:
    """The delivery; Forbidden where it is not the caller's, whether or not it exists."""
    row = await tx.fetch_one(GET, delivery_id=delivery_id)
    if row is None:
        raise Forbidden(subject=f"delivery/{delivery_id}")
    return row


async def of_decision(tx: Transaction, decision_id: str) -> Record | None:
    """What was sent under a decision, as far as the caller may see it."""
    return await tx.fetch_one(BY_DECISION, decision_id=decision_id)


async def list_deliveries(
    tx: Transaction,
    *,
    state: str,
    endpoint_id: str | None,
    limit: int,
    before_time: datetime,
    before_id: str,
) -> list[Record]:
    """Deliveries, the latest first."""
    return await tx.fetch(
        LIST,
        state=state,
        endpoint_id=endpoint_id,
        limit=limit,
        before_time=before_time,
        before_id=before_id,
    )


async def reconcile(
    tx: Transaction, executions: Executions, delivery_id: str, state: str, comment: str
) -> Record:
    """Settle what is unknown by the word of a person, and let governance know."""
    before = await get(tx, delivery_id)
    try:
        if before["state"] != "UNKNOWN":
            raise DeliveryNotUnknown(state=before["state"])
        # The execution's row first, in the order in which everybody locks the two.
        await executions.finish(
            tx, before["decision_id"], ExecutionState(state), reason="RECONCILED"
        )
    except OutcomeConflict as conflict:
        found = conflict.execution
        raise DeliveryNotUnknown(state=found.state.value if found else "") from None
    row = await tx.fetch_one(
        RECONCILE, decision_id=before["decision_id"], state=state, comment=comment
    )
    if row is None:
        raise DeliveryNotUnknown
    tx.emit(audit_events.delivery_reconciled(row))
    return row


async def settled(tx: Transaction, execution: Execution) -> None:
    """Note what a person told governance; on behalf of whose delivery it was."""
    row = await tx.fetch_one(
        RECONCILE, decision_id=execution.decision_id, state=execution.state.value, comment=""
    )
    if row is not None:
        tx.keep(
            audit_events.delivery_reconciled(
                row, tenant=execution.tenant, identity=execution.identity
            )
        )
