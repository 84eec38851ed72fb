"""Transactions under an identity: the only way to a connection.

    async with database.transaction(current().caller) as tx:     # row-level security applies
        row = await tx.fetch_one(GET_THREAD, id=thread_id)
        await tx.execute(RENAME, id=thread_id, title=title)
        tx.emit(record(source="threads", type="thread.renamed", ...))
    # committed, its audit events with it; an exception rolls back both

`database.work()` is for the worker role: no identity, its own policies. UUIDs
are text, jsonb is Python objects, timestamptz is an aware datetime.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, Final, Self

import asyncpg
import structlog

from kernel.audit_event import AuditRecord
from kernel.caller import UUID, Caller
from kernel.context import call_in_hand
from kernel.errors import AuditBacklog, DeadlineExceeded
from kernel.statement import Statement

Record = asyncpg.Record
DEFAULT_TIMEOUT_SECONDS: Final = 30.0
_CLEANUP_SECONDS: Final = 5.0
_log: Final = structlog.get_logger(component="database")


class OutboxState:
    """What writers and the relay of one service tell each other within a process."""

    def __init__(self) -> None:
        self.written = asyncio.Event()
        """Set after a commit that left events, so that the relay need not wait for its poll."""
        self.backlogged = False
        """Set by the relay: too much is unreleased, changes are refused."""


class Transaction:
    """An open transaction; statements run one after another."""

    def __init__(self, connection: Any, schema: str, outbox: OutboxState) -> None:
        self._connection, self._outbox = connection, outbox
        self.schema = schema
        self._emitted: list[AuditRecord] = []

    async def fetch(self, statement: Statement, **parameters: Any) -> list[Record]:
        """All rows."""
        sql, arguments = statement.bind(parameters)
        rows: list[Record] = await self._connection.fetch(sql, *arguments)
        return rows

    async def fetch_one(self, statement: Statement, **parameters: Any) -> Record | None:
        """The first row, or None."""
        sql, arguments = statement.bind(parameters)
        row: Record | None = await self._connection.fetchrow(sql, *arguments)
        return row

    async def execute(self, statement: Statement, **parameters: Any) -> int:
        """How many rows it touched."""
        sql, arguments = statement.bind(parameters)
        status: str = await self._connection.execute(sql, *arguments)
        last = status.rpartition(" ")[2]
        return int(last) if last.isdigit() else 0

    def emit(self, event: AuditRecord) -> None:
        """Have the event commit with this transaction; AuditBacklog if the log is far behind."""
        if self._outbox.backlogged:
            raise AuditBacklog
        self.keep(event)

    def keep(self, event: AuditRecord) -> None:
        """As emit, for what must be recorded whatever the backlog: denials."""
        self._emitted.append(event)

    async def flush(self) -> bool:
        """Write the events by one statement; whether there were any. Called before COMMIT."""
        if not self._emitted:
            return False
        columns = zip(*[(e.id, e.stream, e.version, e.bytes) for e in self._emitted], strict=True)
        await self._connection.execute(
            f"INSERT INTO {self.schema}.outbox (id, stream, version, event) "  # noqa: S608
            "SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bytea[])",
            *map(list, columns),
        )
        return True


class Database:
    """A pool of connections of one role to one service's schema."""

    def __init__(self, pool: Any, url: str, schema: str, outbox: OutboxState) -> None:
        self._pool, self.url, self.schema, self.outbox = pool, url, schema, outbox

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        schema: str,
        pool_size: int = 10,
        application_name: str = "chenu",
        outbox: OutboxState | None = None,
    ) -> Self:
        """Open the pool; its connections are made when they are needed."""
        pool = await asyncpg.create_pool(
            url,
            min_size=0,
            max_size=pool_size,
            init=set_codecs,
            connection_class=_Connection,
            statement_cache_size=500,
            command_timeout=DEFAULT_TIMEOUT_SECONDS + _CLEANUP_SECONDS,
            server_settings={
                "application_name": application_name,
                "search_path": schema,
                "idle_in_transaction_session_timeout": "60000",
            },
        )
        return cls(pool, url, schema, outbox or OutboxState())

    async def close(self) -> None:
        """Close the pool, by force where a connection does not come back."""
        try:
            async with asyncio.timeout(_CLEANUP_SECONDS):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def transaction(self, caller: Caller) -> AsyncIterator[Transaction]:
        """A transaction that sees and touches what row-level security grants this caller."""
        async with self._open(_begin(caller)) as tx:
            yield tx

    @asynccontextmanager
    async def work(self) -> AsyncIterator[Transaction]:
        """A transaction without any identity: queues, cursors, the outbox."""
        async with self._open(f"BEGIN; SET LOCAL statement_timeout = {_milliseconds_left()}") as tx:
            yield tx

    async def call(self, sql: str, *arguments: Any) -> Any:
        """One statement that is a transaction by itself and sets identities itself."""
        async with self._pool.acquire() as connection:
            return await connection.fetchval(sql, *arguments)

    @asynccontextmanager
    async def _open(self, begin: str) -> AsyncIterator[Transaction]:
        async with asyncio.timeout(_time_left()):  # the pool's own would cost a task
            connection = await self._pool.acquire()
        try:
            await connection.execute(begin)
            tx = Transaction(connection, self.schema, self.outbox)
            yield tx
            emitted = await tx.flush()
            await connection.execute("COMMIT")
            if emitted:
                self.outbox.written.set()
        except BaseException:
            # The pool would do it too, but as an error in the log for every refused call.
            if not connection.is_closed() and connection.is_in_transaction():
                await _finish(connection.execute("ROLLBACK", timeout=_CLEANUP_SECONDS))
            raise
        finally:  # it shields itself, and throws away what it cannot use again
            await self._pool.release(connection, timeout=_CLEANUP_SECONDS)


class _Connection(asyncpg.Connection):
    def get_reset_query(self) -> str:
        """Nothing to reset: all that a transaction sets is local to it. Saves a round trip."""
        return ""


async def set_codecs(connection: Any) -> None:
    """UUIDs as text, jsonb as Python objects."""
    await connection.set_type_codec(
        "uuid", schema="pg_catalog", format="binary", encoder=_uuid_bytes, decoder=_uuid_text
    )
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", format="binary", encoder=_json_bytes, decoder=_json_value
    )


def _uuid_bytes(value: object) -> bytes:
    raw = bytes.fromhex(str(value).replace("-", ""))
    if len(raw) != 16:
        raise ValueError("not a UUID")
    return raw


def _uuid_text(raw: bytes) -> str:
    h = raw.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def _json_bytes(value: object) -> bytes:
    return b"\x01" + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _json_value(raw: bytes) -> Any:
    return json.loads(raw[1:])


def _begin(caller: Caller) -> str:
    """BEGIN and the caller's settings in one simple query, which takes no parameters."""
    for value in (caller.tenant, caller.person, caller.identity):
        if value and not UUID.fullmatch(value):
            raise ValueError("tenant, person and identity are UUIDs")
    return (
        f"BEGIN; SELECT set_config('chenu.tenant', '{caller.tenant}', true),"
        f" set_config('chenu.person', '{caller.person}', true),"
        f" set_config('chenu.identity', '{caller.identity}', true),"
        f" set_config('statement_timeout', '{_milliseconds_left()}', true)"
    )


def _milliseconds_left() -> int:
    return int(_time_left() * 1000)


def _time_left() -> float:
    """Seconds for the database, from the deadline of the call in hand."""
    call = call_in_hand()
    remaining = call.remaining() if call else None
    if remaining is None:
        return DEFAULT_TIMEOUT_SECONDS
    if remaining <= 0.001:
        raise DeadlineExceeded
    return min(remaining, DEFAULT_TIMEOUT_SECONDS)


async def _finish(cleanup: Awaitable[None]) -> None:
    """Run it to its end even when the caller is being cancelled, and again while it runs."""
    task = asyncio.ensure_future(cleanup)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
        except Exception as error:  # noqa: BLE001 - the first failure is the one to tell
            _log.warning("cleanup failed", error=repr(error))
    if cancelled is not None:
        raise cancelled
