"""Reading the ledger."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from chenu.llm.v1.ledger_pb2 import LedgerEntry
from chenu.llm.v1.ledger_service_pb2 import ListLedgerEntriesRequest
from kernel.caller import Caller
from kernel.database import Database
from kernel.pagination import PageTokens, page_size
from kernel.statement import Statement
from services.llm.tables import ledger

_before = sa.bindparam("before", type_=sa.Uuid(as_uuid=False))
_run = sa.bindparam("run", type_=sa.Uuid(as_uuid=False))
_LIST: Final = Statement(
    sa.select(ledger)
    .where(
        sa.or_(_before.is_(None), ledger.c.call_id < _before),
        sa.or_(_run.is_(None), ledger.c.run_id == _run),
    )
    .order_by(ledger.c.call_id.desc())
    .limit(sa.bindparam("size", type_=sa.Integer))
)


async def list_entries(
    database: Database, caller: Caller, request: ListLedgerEntriesRequest, pages: PageTokens
) -> tuple[Sequence[LedgerEntry], str]:
    """A page of the identity's calls, the latest first, and the next page's token."""
    size = page_size(request.page_size)
    after = pages.decode(request.page_token, request)
    async with database.transaction(caller) as tx:
        rows = await tx.fetch(
            _LIST,
            before=after["call_id"] if after else None,
            run=request.run_id or None,
            size=size + 1,
        )
    page, token = pages.page(rows, size, request, lambda row: {"call_id": row["call_id"]})
    return [_entry(row) for row in page], token


def _entry(row: Any) -> LedgerEntry:
    entry = LedgerEntry(
        run_id=row["run_id"] or "",
        **{
            name: row[name]
            for name in (
                "call_id", "provider", "model_requested", "model_answered", "host", "simulated",
                "input_tokens", "output_tokens", "duration_millis", "outcome",
            )
        },
    )  # fmt: skip
    entry.create_time.FromDatetime(row["create_time"])
    return entry
