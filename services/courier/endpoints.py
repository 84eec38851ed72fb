"""Endpoints: registered by people, changed under an etag, called only where that is allowed."""

from collections.abc import Mapping
from typing import Any, Final

import asyncpg

from kernel.database import Record, Transaction
from kernel.errors import EtagMismatch, Forbidden
from kernel.statement import Statement
from services.courier import audit_events
from services.courier.errors import EndpointNameTaken

GET: Final = Statement("SELECT * FROM courier.endpoints WHERE endpoint_id = :endpoint_id")
LOCK: Final = Statement(
    "SELECT * FROM courier.endpoints WHERE endpoint_id = :endpoint_id FOR UPDATE"
)
LIST: Final = Statement(
    "SELECT * FROM courier.endpoints"
    " WHERE (name, endpoint_id) > (CAST(:name AS text), CAST(:after_id AS uuid))"
    " AND (CAST(:reference AS text) = '' OR CAST(endpoint_id AS text) = lower(:reference)"
    " OR strpos(courier.folded(name), courier.folded(:reference)) > 0)"
    " ORDER BY name, endpoint_id LIMIT :limit"
)
CREATE: Final = Statement(
    "INSERT INTO courier.endpoints (endpoint_id, tenant, identity, name, url, idempotent,"
    " disabled, sealed_secret, version)"
    " VALUES (:endpoint_id, current_setting('chenu.tenant')::uuid,"
    " current_setting('chenu.identity')::uuid, :name, :url, :idempotent, false, :sealed, 1)"
    " RETURNING *"
)
UPDATE: Final = Statement(
    "UPDATE courier.endpoints SET name = coalesce(:name, name), url = coalesce(:url, url),"
    " idempotent = coalesce(:idempotent, idempotent), disabled = coalesce(:disabled, disabled),"
    " version = version + 1, update_time = clock_timestamp()"
    " WHERE endpoint_id = :endpoint_id RETURNING *"
)
DELETE: Final = Statement(
    "DELETE FROM courier.endpoints WHERE endpoint_id = :endpoint_id RETURNING *"
)
FIRST_ID: Final = "00000000-0000-0000-0000-000000000000"
EDITABLE: Final = ("name", "url", "idempotent", "disabled")


def etag(endpoint: Record) -> str:
    """The version of an endpoint; what was approved for another one is no longer good."""
    return f"v{endpoint['version']}"


async def create(
    tx: Transaction, endpoint_id: str, *, name: str, url: str, idempotent: bool, sealed: bytes
) -> Record:
    """Register an endpoint of the caller's identity."""
    row = await _write(
        tx,
        CREATE,
        endpoint_id=endpoint_id,
        name=name,
        url=url,
        idempotent=idempotent,
        sealed=sealed,
    )
    created = audit_events.endpoint_changed(
        "created", audit_events.CREATE, endpoint_id, 1, after=row
    )
    tx.emit(created)
    return row


async def get(tx: Transaction, endpoint_id: str, *, locked: bool = False) -> Record:
    """The endpoint; Forbidden where it is not the caller's, whether or not it exists."""
    row = await tx.fetch_one(LOCK if locked else GET, endpoint_id=endpoint_id)
    if row is None:
        raise Forbidden(subject=f"endpoint/{endpoint_id}")
    return row


async def list_endpoints(
    tx: Transaction, *, limit: int, after: tuple[str, str] = ("", FIRST_ID), reference: str = ""
) -> list[Record]:
    """Endpoints by name: all, or those that the reference may mean."""
    return await tx.fetch(
        LIST, name=after[0], after_id=after[1], limit=limit, reference=reference.strip()
    )


async def update(
    tx: Transaction, endpoint_id: str, expected_etag: str, changes: Mapping[str, Any]
) -> Record:
    """Change an endpoint, if it is as the caller saw it."""
    before = await get(tx, endpoint_id, locked=True)
    if etag(before) != expected_etag:
        raise EtagMismatch(etag=etag(before))
    columns = {name: changes.get(name) for name in EDITABLE}
    row = await _write(tx, UPDATE, endpoint_id=endpoint_id, **columns)
    changed = ",".join(sorted(changes))
    tx.emit(
        audit_events.endpoint_changed(
            "updated",
            audit_events.UPDATE,
            endpoint_id,
            row["version"],
            before=before,
            after=row,
            changed=changed,
        )
    )
    return row


async def disable(tx: Transaction, endpoint_id: str, url: str, reason: str) -> None:
    """Disable an endpoint whose URL said that it is gone.

    One that was deleted meanwhile is left in peace, and one that has another URL by now.
    """
    row = await tx.fetch_one(LOCK, endpoint_id=endpoint_id)
    if row is None or row["disabled"] or row["url"] != url:
        return
    nothing = dict.fromkeys(EDITABLE)
    row = await _write(tx, UPDATE, endpoint_id=endpoint_id, **{**nothing, "disabled": True})
    tx.keep(
        audit_events.endpoint_changed(
            "disabled", audit_events.UPDATE, endpoint_id, row["version"], cause=reason
        )
    )


async def delete(tx: Transaction, endpoint_id: str) -> None:
    """Remove an endpoint and its secret; its deliveries stay."""
    row = await tx.fetch_one(DELETE, endpoint_id=endpoint_id)
    if row is None:
        raise Forbidden(subject=f"endpoint/{endpoint_id}")
    tx.emit(
        audit_events.endpoint_changed(
            "deleted", audit_events.DELETE, endpoint_id, row["version"] + 1, before=row
        )
    )


async def _write(tx: Transaction, statement: Statement, **parameters: Any) -> Record:
    try:
        row = await tx.fetch_one(statement, **parameters)
    except asyncpg.UniqueViolationError:
        raise EndpointNameTaken from None
    if row is None:
        raise LookupError("an endpoint was written and is not there")
    return row
