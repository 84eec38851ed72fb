"""A request id pins its effect for ever: asked again, what was made is found again.

    async with database.transaction(caller) as tx:
        made = await claim(tx, caller, request.request_id, "/…/CreateThread", request)
        if made is None:
            made = await create(tx, ...)
            await remember(tx, caller, request.request_id, made)
    return await get(made)     # the present state, not the answer of then

Two at once: the second waits for the first to commit, then finds what it made.
"""

from hashlib import sha256
from typing import Final

from google.protobuf.message import Message
from sqlalchemy import Column, DateTime, LargeBinary, MetaData, Table, Text, Uuid

from kernel.caller import Caller
from kernel.database import Transaction
from kernel.errors import RequestIdReused
from kernel.outbox import NOW
from kernel.statement import Statement

_KEY: Final = (
    "tenant = :tenant AND identity = :identity AND principal = :principal"
    " AND request_id = :request_id"
)
_CLAIM: Final = Statement(
    "INSERT INTO requests (tenant, identity, principal, request_id, digest, resource)"
    " VALUES (:tenant, :identity, :principal, :request_id, :digest, '') ON CONFLICT DO NOTHING"
)
_FIND: Final = Statement(f"SELECT digest, resource FROM requests WHERE {_KEY}")  # noqa: S608
_REMEMBER: Final = Statement(f"UPDATE requests SET resource = :resource WHERE {_KEY}")  # noqa: S608


def requests_table(metadata: MetaData) -> None:
    """Add the table to a service's metadata; `create_requests()` makes it in a migration."""
    Table(
        "requests", metadata,
        Column("tenant", Uuid(as_uuid=False), primary_key=True),
        Column("identity", Text, primary_key=True),
        Column("principal", Text, primary_key=True),
        Column("request_id", Uuid(as_uuid=False), primary_key=True),
        Column("digest", LargeBinary, nullable=False),
        Column("resource", Text, nullable=False),
        Column("create_time", DateTime(timezone=True), nullable=False, server_default=NOW),
    )  # fmt: skip


async def claim(
    tx: Transaction, caller: Caller, request_id: str, method: str, request: Message
) -> str | None:
    """None for a new request id (or none at all); else what its first request made."""
    if not request_id:
        return None
    body = request.SerializeToString(deterministic=True)
    digest = sha256(method.encode() + b"\0" + body).digest()
    key = _key(caller, request_id)
    if await tx.execute(_CLAIM, **key, digest=digest):
        return None
    found = await tx.fetch_one(_FIND, **key)
    if found is None or found["digest"] != digest:
        raise RequestIdReused(request_id=request_id)
    return str(found["resource"])


async def remember(tx: Transaction, caller: Caller, request_id: str, resource: str) -> None:
    """Say what a claimed request made, in the transaction that makes it."""
    if request_id and not await tx.execute(
        _REMEMBER, **_key(caller, request_id), resource=resource
    ):
        raise LookupError("a request id must be claimed before it is remembered")


def _key(caller: Caller, request_id: str) -> dict[str, str]:
    return {
        "tenant": caller.tenant,
        "identity": caller.identity,
        "principal": caller.principal,
        "request_id": request_id,
    }
