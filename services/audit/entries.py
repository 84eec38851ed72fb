"""Reading entries: one's own identity's, or with the role of auditor the whole tenant's."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa
from google.protobuf import json_format

from chenu.audit.v1.entry_pb2 import Entry, PersonalState
from chenu.audit.v1.entry_service_pb2 import ListEntriesRequest, ListSystemEntriesRequest
from chenu.events.v1.audit_event_pb2 import AuditAction, AuditEvent
from kernel.caller import SYSTEM_TENANT, Caller
from kernel.database import Database, Transaction
from kernel.errors import Forbidden
from kernel.pagination import PageTokens, page_size
from kernel.statement import Statement
from services.audit import audit_events
from services.audit.matching import matching, parameters
from services.audit.personal import SubjectKeys
from services.audit.system_auditors import SystemAuditors
from services.audit.tables import entries

AUDITOR: Final = "auditor"
_PAGE_BYTES: Final = 3 << 20  # of the 4 MiB that a message may have
_before = sa.bindparam("before", type_=sa.BigInteger)
_VIOLATION: Final = AuditAction.AUDIT_ACTION_IDENTITY_VIOLATION


@lru_cache(maxsize=64)
def _statements(filter_text: str) -> tuple[Statement, Statement]:
    """What lists and what counts the entries that a filter lets through."""
    conditions = matching(filter_text)
    page = (
        sa.select(entries)
        .where(*conditions, sa.or_(_before.is_(None), entries.c.index < _before))
        .order_by(entries.c.index.desc())
        .limit(sa.bindparam("size", type_=sa.Integer))
    )
    count = sa.select(sa.func.count()).select_from(entries).where(*conditions)
    return Statement(page), Statement(count)


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

    def __init__(
        self, database: Database, pages: PageTokens, keys: SubjectKeys, auditors: SystemAuditors
    ) -> None:
        self._database, self._pages, self._keys = database, pages, keys
        self._auditors = auditors

    async def get(self, caller: Caller, index: int) -> Entry:
        """One entry; Forbidden where it is another's, or no event, or not there."""
        async with self._database.transaction(caller) as tx:
            everything = await widen(tx, caller)
            row = await tx.fetch_one(_GET, at=index, all=everything, me=caller.identity)
            if row is not None:
                tx.emit(audit_events.entries_read(f"entry/{index}", 1))
        if row is None:
            raise Forbidden(subject=f"entry/{index}")
        entry = entry_of(row, caller)
        if row["personal"] is not None:
            await self._open(entry, row, caller)
        return entry

    async def _open(self, entry: Entry, row: Any, caller: Caller) -> None:
        """Add what the record says of its person, for that person and for auditors."""
        if caller.person != row["personal"] and AUDITOR not in caller.roles:
            entry.personal_state = PersonalState.PERSONAL_STATE_SEALED
            return
        personal = json.loads(row["leaf"])["data"]["personal"]
        entry.personal_state, fields = await self._keys.open(row["tenant"], personal)
        entry.personal.update(fields)

    async def list(
        self, caller: Caller, request: ListEntriesRequest
    ) -> tuple[Sequence[Entry], str, int]:
        """A page of entries, the latest first; the next page's token; the total where asked."""
        listing, counting = _statements(request.filter)
        async with self._database.transaction(caller) as tx:
            wanted = parameters(request, await widen(tx, caller), caller)
            page, token = await self._page(tx, listing, wanted, caller, request)
            counted = await tx.fetch_one(counting, **wanted) if request.include_total else None
            tx.emit(audit_events.entries_read(f"identity/{caller.identity}", len(page)))
        return page, token, counted[0] if counted else 0

    async def list_system(
        self, caller: Caller, request: ListSystemEntriesRequest
    ) -> tuple[Sequence[Entry], str]:
        """A page of what belongs to no tenant, for an auditor of the system; the next's token."""
        self._auditors.require(caller)
        listing, _ = _statements(request.filter)
        nothing = ListEntriesRequest()
        async with self._database.transaction(replace(caller, tenant=SYSTEM_TENANT)) as tx:
            await tx.fetch(_AS_AUDITOR)
            wanted = parameters(nothing, everything=True, caller=caller)
            page, token = await self._page(tx, listing, wanted, caller, request)
            tx.emit(audit_events.entries_read(f"tenant/{SYSTEM_TENANT}", len(page)))
        return page, token

    async def _page(
        self, tx: Transaction, listing: Statement, wanted: dict[str, Any], caller: Caller,
        request: ListEntriesRequest | ListSystemEntriesRequest,
    ) -> tuple[Sequence[Entry], str]:  # fmt: skip
        size = page_size(request.page_size, maximum=500)
        after = self._pages.decode(request.page_token, request)
        before = after["index"] if after else None
        rows = await tx.fetch(listing, before=before, size=size + 1, **wanted)
        size = _fitting(rows[:size])
        kept, token = self._pages.page(rows, size, request, lambda row: {"index": row["index"]})
        return [entry_of(row, caller) for row in kept], token


def _fitting(rows: Sequence[Any]) -> int:
    """How many of these fit an answer, one at least: each is in it as bytes and read."""
    total = 0
    for count, row in enumerate(rows):
        total += 2 * len(row["leaf"])
        if total > _PAGE_BYTES and count:
            return count
    return len(rows)


async def widen(tx: Transaction, caller: Caller) -> bool:
    """Let an auditor see the tenant: the policy asks for this setting beside the tenant."""
    if AUDITOR not in caller.roles:
        return False
    await tx.fetch(_AS_AUDITOR)
    return True


def entry_of(row: Any, caller: Caller) -> Entry:
    """The entry of a row, as this caller may see it."""
    entry = Entry(
        index=row["index"],
        leaf=row["leaf"],
        leaf_hash=row["leaf_hash"],
        event=_event(row["leaf"]),
        # Whoever was refused is not told whether the thing exists.
        violation=row["action"] == _VIOLATION or (row["denial"] and row["person"] != caller.person),
    )
    entry.log_time.FromDatetime(row["log_time"])
    return entry


def _event(leaf: bytes) -> AuditEvent:
    """What the bytes say; nothing where they say it in other types than an event has."""
    try:
        return json_format.Parse(leaf, AuditEvent(), ignore_unknown_fields=True)
    except json_format.ParseError:  # all the others can still be read
        return AuditEvent()
