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
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Final, Self

import asyncpg

from kernel.audit_event import AuditRecord
from kernel.caller import UUID, Caller
from kernel.context import call_in_hand
from kernel.errors import AuditBacklog, DeadlineExceeded
from kernel.statement import Statement

Record = asyncpg.Record
DEFAULT_TIMEOUT_SECONDS: Final = 30.0
_CLEANUP_SECONDS: Final = 5.0


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
        self.limit: float | None = None
        """Seconds for a statement that may take longer than all others."""
        self._emitted: list[AuditRecord] = []

    async def fetch(self, statement: Statement, **parameters: Any) -> list[Record]:
        """All rows."""
        sql, arguments = statement.bind(parameters)
        rows: list[Record] = await self._connection.fetch(sql, *arguments, timeout=self.limit)
        return rows

    async def fetch_one(self, statement: Statement, **parameters: Any) -> Record | None:
        """The first row, or None."""
        sql, arguments = statement.bind(parameters)
        row: Record | None = await self._connection.fetchrow(sql, *arguments, timeout=self.limit)
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
        self._idle: list[Any] = []
        self._wanted = 0

    @classmethod
    async def connect(
        cls, url: str, *, schema: str, pool_size: int = 10,
        application_name: str = "chenu", outbox: OutboxState | None = None,
    ) -> Self:  # fmt: skip
        """Open the pool; its connections are made when they are needed."""
        pool = await asyncpg.create_pool(
            url, min_size=0, max_size=pool_size, init=set_codecs, connection_class=_Connection,
            statement_cache_size=500, command_timeout=DEFAULT_TIMEOUT_SECONDS + _CLEANUP_SECONDS,
            server_settings={
                "application_name": application_name,
                "search_path": schema,
                "idle_in_transaction_session_timeout": "60000",
            },
        )  # fmt: skip
        return cls(pool, url, schema, outbox or OutboxState())

    async def close(self) -> None:
        """Close the pool, by force where a connection does not come back."""
        self._wanted += 1  # what comes back now is not kept
        try:
            async with asyncio.timeout(_CLEANUP_SECONDS):
                while self._idle:
                    await self._pool.release(self._idle.pop())
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    def transaction(self, caller: Caller) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that sees and touches what row-level security grants this caller."""
        return self._open(_begin(caller))

    def work(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction without any identity: queues, cursors, the outbox."""
        return self._open(f"BEGIN; SET LOCAL statement_timeout = {_milliseconds_left()}")

    async def call(self, sql: str, *arguments: Any) -> Any:
        """One statement that is a transaction by itself and sets identities itself."""
        async with self._connection(None) as connection:
            return await connection.fetchval(sql, *arguments)

    @asynccontextmanager
    async def _open(self, begin: str) -> AsyncIterator[Transaction]:
        async with self._connection(_time_left()) as connection:
            await connection.execute(begin)
            tx = Transaction(connection, self.schema, self.outbox)
            yield tx
            emitted = await tx.flush()
            if await connection.execute("COMMIT") != "COMMIT":
                raise RuntimeError("a statement had failed, so all was rolled back")
        if emitted:
            self.outbox.written.set()

    @asynccontextmanager
    async def _connection(self, seconds: float | None) -> AsyncIterator[Any]:
        """One that is at hand; else the pool's, whose ways cost more than most statements."""
        connection, is_whole = await self._take(seconds), False
        try:
            yield connection
            is_whole = True
        finally:
            if is_whole and not self._wanted:  # else others wait for it there
                self._idle.append(connection)
            else:
                with suppress(Exception):  # another failure came before this one
                    await self._pool.release(connection, timeout=_CLEANUP_SECONDS)

    async def _take(self, seconds: float | None) -> Any:
        while self._idle:
            connection = self._idle.pop()
            with suppress(asyncpg.InterfaceError):  # it was closed, and the pool knows already
                if not connection.is_closed():
                    return connection
                await self._pool.release(connection, timeout=_CLEANUP_SECONDS)
        self._wanted += 1
        try:
            async with asyncio.timeout(seconds):  # the pool's own would cost a task
                return await self._pool.acquire()
        except TimeoutError:
            raise
        except OSError as error:  # of any kind: refused, no such host, no way to it
            raise ConnectionError("no connection to the database") from error
        finally:
            self._wanted -= 1


class _Connection(asyncpg.Connection):
    async def reset(self, *, timeout: float | None = None) -> None:
        """Roll back what is open, without asyncpg's error in the log; all else was local to it."""
        if self.is_in_transaction():
            await self.execute("ROLLBACK", timeout=timeout)


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
