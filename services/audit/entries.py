"""Reading entries: one's own identity's, or with the role of auditor the whole tenant's."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from google.protobuf import json_format

from chenu.audit.v1.entry_pb2 import Entry
from chenu.audit.v1.entry_service_pb2 import ListEntriesRequest
from chenu.events.v1.audit_event_pb2 import AuditEvent
from kernel.caller import Caller
from kernel.database import Database, Transaction
from kernel.errors import Forbidden
from kernel.pagination import PageTokens, page_size
from kernel.statement import Statement
from services.audit import audit_events
from services.audit.tables import entries

AUDITOR: Final = "auditor"
_before = sa.bindparam("before", type_=sa.BigInteger)
_UUID: Final = sa.Uuid(as_uuid=False)


def _given(name: str, column: Any) -> Any:
    """The column equals the parameter, where one is given."""
    wanted = sa.bindparam(name, type_=column.type)
    return sa.or_(wanted.is_(None), column == wanted)


def matching() -> list[Any]:
    """What an entry must be like to be read; `parameters` gives the values."""
    actor = sa.bindparam("actor", type_=sa.Text)
    return [
        entries.c.kind == "event",
        sa.or_(sa.bindparam("all", type_=sa.Boolean), entries.c.identity == sa.bindparam("me")),
        _given("resource", entries.c.subject),
        sa.or_(
            actor.is_(None),
            entries.c.person == actor,
            entries.c.agent == actor,
            entries.c.service == actor,
        ),
        _given("identity_id", entries.c.identity),
        _given("sphere", entries.c.sphere),
        _given("action", entries.c.action),
        _given("stream", entries.c.stream),
        _given("request_id", entries.c.request_id),
        sa.or_(~sa.bindparam("violations", type_=sa.Boolean), entries.c.denial),
    ]


_LIST: Final = Statement(
    sa.select(entries)
    .where(*matching(), sa.or_(_before.is_(None), entries.c.index < _before))
    .order_by(entries.c.index.desc())
    .limit(sa.bindparam("size", type_=sa.Integer))
)
_COUNT: Final = Statement(sa.select(sa.func.count()).select_from(entries).where(*matching()))
_GET: Final = Statement(
    sa.select(entries).where(
        entries.c.index == sa.bindparam("at"),
        entries.c.kind == "event",
        sa.or_(sa.bindparam("all", type_=sa.Boolean), entries.c.identity == sa.bindparam("me")),
    )
)
_AS_AUDITOR: Final = Statement(sa.select(sa.func.set_config("chenu.auditor", "on", True)))


class Entries:
    """The use cases of the entry service."""

    def __init__(self, database: Database, pages: PageTokens) -> None:
        self._database, self._pages = database, pages

    async def get(self, caller: Caller, index: int) -> Entry:
        """One entry; Forbidden where it is another's, or no event, or not there."""
        async with self._database.transaction(caller) as tx:
            everything = await widen(tx, caller)
            row = await tx.fetch_one(_GET, at=index, all=everything, me=caller.identity)
            if row is not None:
                tx.emit(audit_events.entries_read(f"entry/{index}", 1))
        if row is None:
            raise Forbidden(subject=f"entry/{index}")
        return _entry(row, caller)

    async def list(
        self, caller: Caller, request: ListEntriesRequest
    ) -> tuple[Sequence[Entry], str, int]:
        """A page of entries, the latest first; the next page's token; the total where asked."""
        size = page_size(request.page_size, maximum=500)
        after = self._pages.decode(request.page_token, request)
        async with self._database.transaction(caller) as tx:
            matching = parameters(request, await widen(tx, caller), caller)
            rows = await tx.fetch(
                _LIST, before=after["index"] if after else None, size=size + 1, **matching
            )
            counted = await tx.fetch_one(_COUNT, **matching) if request.include_total else None
            page = [_entry(row, caller) for row in rows[:size]]
            tx.emit(audit_events.entries_read(f"identity/{caller.identity}", len(page)))
        more = len(rows) > size
        token = self._pages.encode({"index": page[-1].index}, request) if more else ""
        return page, token, counted[0] if counted else 0


async def widen(tx: Transaction, caller: Caller) -> bool:
    """Let an auditor see the tenant: the policy asks for this setting beside the tenant."""
    if AUDITOR not in caller.roles:
        return False
    await tx.fetch(_AS_AUDITOR)
    return True


def parameters(request: Any, everything: bool, caller: Caller) -> dict[str, Any]:
    """The values for `matching`, from a request with the filters of ListEntries."""
    return {
        "all": everything,
        "me": caller.identity,
        "resource": request.resource or None,
        "actor": request.actor or None,
        "identity_id": request.identity_id or None,
        "sphere": request.sphere or None,
        "action": request.action or None,
        "stream": request.stream or None,
        "request_id": request.request_id or None,
        "violations": request.violations,
    }


def _entry(row: Any, caller: Caller) -> Entry:
    entry = Entry(
        index=row["index"],
        leaf=row["leaf"],
        leaf_hash=row["leaf_hash"],
        event=json_format.Parse(row["leaf"], AuditEvent(), ignore_unknown_fields=True),
        # Whoever was refused is not told whether the thing exists.
        violation=row["denial"] and row["person"] != caller.person,
    )
    entry.log_time.FromDatetime(row["log_time"])
    return entry
