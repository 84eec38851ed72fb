"""Carries a service's outbox to audit: in order, nothing left out.

Events are read by snapshot window: what the previous snapshot did not see and
the present one does. So a transaction that commits late is neither skipped nor
waited for; what one window holds is in the order of its writing. A window becomes
numbered bundles, committed before anything is published; audit's receipts (see
`kernel.source_servicer`) release them.

One relay per service works at a time: it holds an advisory lock on the only
connection that it uses, so that it cannot outlive its lock. NATS may be down or
wiped meanwhile; what has no receipt is published again.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import asyncpg
import structlog

from chenu.events.v1.bundle_pb2 import Bundle, Manifest
from kernel.database import Database, set_codecs
from kernel.messaging import Messaging, NotPublished
from kernel.receipts import leaf_hash, root_of
from kernel.settings import SharedSettings
from kernel.statement import Statement
from kernel.telemetry import PUBLISHED, RELEASED, UNRELEASED

MAX_BUNDLE_BYTES: Final = 512 << 10
_ROOM: Final = MAX_BUNDLE_BYTES - (32 << 10)  # the rest is for the manifest with its snapshots
POLL_SECONDS: Final = 0.25
# A bundle costs a dozen statements, a message on disk and a signed tree head, however few events
# it holds: they wait for company, longer while much is written. The first after a rest does not.
PAUSE_SECONDS: Final = 0.1
BUSY_PAUSE_SECONDS: Final = 0.4
_BUSY_EVENTS: Final = 5
HEARTBEAT_SECONDS: Final = 10.0
CHORES_SECONDS: Final = 2.0
# The server lets go of a relay that says nothing for so long: where its machine has died, the lock
# would otherwise be held for hours.
SILENCE: Final = "60s"
_LOCK: Final = 0x6368656E  # the class of our advisory locks
_log: Final = structlog.get_logger(component="relay")

# A restored or failed-over database may count transactions anew, so it is another generation. The
# timeline is that of what is written now: a control file tells the old one until a checkpoint has
# ended, which is minutes after a standby was promoted.
_CLUSTER: Final = """
    SELECT (SELECT system_identifier FROM pg_control_system()) || '/'
        || ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int"""
_STATE: Final = """
    SELECT cluster, generation, number, snapshot, rebased, pg_current_snapshot()::text AS now
    FROM relay_state FOR UPDATE"""
# Rows from before the restore get the id of this transaction, which `now` does not see.
_REBASE: Final = "SELECT rebase_outbox()"
# A moment, not a count: two restores of one dump would count to the same.
_NEW_GENERATION: Final = """
    UPDATE relay_state SET cluster = $1, snapshot = $2, rebased = true, generation = greatest(
        generation + 1, CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint))
    RETURNING generation"""
_PREVIOUS: Final = "(SELECT snapshot::pg_snapshot FROM relay_state)"
_WINDOW: Final = f"""
    FROM outbox WHERE xid >= pg_snapshot_xmin({_PREVIOUS})
    AND NOT pg_visible_in_snapshot(xid, {_PREVIOUS})"""
_NOT_BUNDLED: Final = " AND seq NOT IN (SELECT unnest(seqs) FROM bundles)"
# What is released is kept for a day. That the window is its end, and by which index it is found,
# the planner does not know: where no order is asked for it reads all of it.
_ANY: Final = f"SELECT 1 {_WINDOW} ORDER BY xid LIMIT 1"
# Events are written last, under the locks of what they tell of, so their order is that of `seq`;
# whoever waited for a lock may have an earlier `xid`.
_EVENTS: Final = f"SELECT * FROM (SELECT seq, event {_WINDOW} {{}} ORDER BY xid) t ORDER BY seq"  # noqa: S608
_BUNDLE: Final = "INSERT INTO bundles (number, manifest, seqs) VALUES ($1, $2, $3)"
_ADVANCE: Final = "UPDATE relay_state SET number = $1, snapshot = $2, rebased = false"
BUNDLES: Final = """
    SELECT number, manifest, attempt, cardinality(seqs) AS count, ARRAY(SELECT event
        FROM unnest(seqs) WITH ORDINALITY AS wanted (seq, place) JOIN outbox USING (seq)
        ORDER BY place) AS events FROM bundles"""
# Not worth waiting for the disk: a lost mark means that the bundle is published once more.
_MARK: Final = """
    UPDATE bundles SET publish_time = clock_timestamp(), attempt = attempt + 1
    WHERE number = $1 AND set_config('synchronous_commit', 'off', true) = 'off'"""
RELEASED_NUMBER: Final = "SELECT coalesce(max(number), 0) FROM receipts"
_UNPUBLISHED: Final = f"""{BUNDLES}
    WHERE publish_time IS NULL AND number > ({RELEASED_NUMBER}) ORDER BY number LIMIT $1"""
_AT_ONCE: Final = 16
# The oldest first, and less often each time: audit may be down, with all of it in the stream.
_OVERDUE: Final = f"""
    UPDATE bundles SET publish_time = NULL WHERE number IN (
        SELECT number FROM bundles WHERE number > ({RELEASED_NUMBER}) AND publish_time
            < clock_timestamp() - make_interval(secs => $1 * 2 ^ least(attempt - 1, 7))
        ORDER BY number LIMIT 64)"""  # noqa: S608
_PRUNE: Final = "SELECT prune_outbox($1)"
_BACKLOG: Final = Statement(f"""
    SELECT coalesce(sum(cardinality(seqs)), 0)
        + (SELECT count(*) FROM (SELECT 1 {_WINDOW} ORDER BY xid LIMIT :most) AS rest) AS waiting,
        ({RELEASED_NUMBER}) AS released
    FROM bundles WHERE number > ({RELEASED_NUMBER})""")  # noqa: S608


class Relay:
    """The relay of one service; `run` and `watch_backlog` are its background tasks."""

    def __init__(
        self, service: str, worker: Database, messaging: Messaging, shared: SharedSettings
    ) -> None:
        self._service, self._worker, self._messaging = service, worker, messaging
        self._shared = shared
        self._bundled_at = self._chores_at = 0.0
        self._pause_seconds = PAUSE_SECONDS
        self._unpublished = True  # what an earlier process has left

    async def run(self) -> None:
        """Wait for the lock, then relay until the connection is lost or the task cancelled."""
        session = {"search_path": self._service, "application_name": f"{self._service}.relay"}
        session |= {"idle_session_timeout": SILENCE, "idle_in_transaction_session_timeout": SILENCE}
        connection = await asyncpg.connect(self._worker.url, server_settings=session)
        try:
            await set_codecs(connection)
            await connection.execute(
                "SELECT pg_advisory_lock($1, hashtext($2))", _LOCK, self._service
            )
            await self._open_generation(connection)
            while True:
                started = time.monotonic()
                self._worker.outbox.written.clear()
                await self.step(connection)
                await self._pause(started)
        finally:
            connection.terminate()

    async def step(self, connection: Any) -> None:
        """Bundle what is new, publish what is bundled."""
        await self._bundle(connection)
        if self._unpublished:
            await self._publish(connection)
        if time.monotonic() - self._chores_at > CHORES_SECONDS:
            await connection.execute(_OVERDUE, self._shared.relay_republish_seconds)
            self._unpublished = True
            await connection.execute(_PRUNE, self._shared.outbox_retention_seconds)
            self._chores_at = time.monotonic()

    async def watch_backlog(self) -> None:
        """Tell the writers of this process when too much waits for a receipt, and when no more."""
        while True:
            async with self._worker.work() as tx:
                row = await tx.fetch_one(_BACKLOG, most=self._shared.outbox_limit + 1)
            assert row is not None  # noqa: S101 - an aggregate always has a row
            self._worker.outbox.backlogged = row["waiting"] > self._shared.outbox_limit
            UNRELEASED.labels(self._service).set(float(row["waiting"]))
            RELEASED.labels(self._service).set(row["released"])
            await asyncio.sleep(CHORES_SECONDS)

    async def _pause(self, started: float) -> None:
        """Until something is written or the poll is due; never without a breath between."""
        written = self._worker.outbox.written
        try:
            async with asyncio.timeout(POLL_SECONDS):  # wait_for of 3.11 may swallow the stop
                await written.wait()
        except TimeoutError:
            return
        await asyncio.sleep(max(0.0, started + self._pause_seconds - time.monotonic()))

    async def _open_generation(self, connection: Any) -> None:
        cluster = await connection.fetchval(_CLUSTER)
        async with connection.transaction(isolation="repeatable_read"):
            state = await connection.fetchrow(_STATE)
            if state["cluster"] != cluster:
                await connection.execute(_REBASE)
                opened = await connection.fetchval(_NEW_GENERATION, cluster, state["now"])
                _log.info("new generation", service=self._service, generation=opened)

    async def _bundle(self, connection: Any) -> None:
        """Commit the window since the last snapshot as bundles; an empty one as a heartbeat."""
        due = time.monotonic() - self._bundled_at > HEARTBEAT_SECONDS
        self._pause_seconds = PAUSE_SECONDS
        if not due and not await connection.fetchval(_ANY):
            return
        async with connection.transaction(isolation="repeatable_read"):
            state = await connection.fetchrow(_STATE)
            number = state["number"]
            events = _EVENTS.format(_NOT_BUNDLED if state["rebased"] else "")
            rows = connection.cursor(events, prefetch=500)
            async for seqs, leaves in _split(rows):
                number += 1
                manifest = self._manifest(state, number, leaves)
                await connection.execute(_BUNDLE, number, manifest, seqs)
                if len(seqs) >= _BUSY_EVENTS:
                    self._pause_seconds = BUSY_PAUSE_SECONDS
            if number == state["number"]:
                number += 1
                await connection.execute(_BUNDLE, number, self._manifest(state, number, []), [])
            await connection.execute(_ADVANCE, number, state["now"])
        self._bundled_at, self._unpublished = time.monotonic(), True

    def _manifest(self, state: Any, number: int, leaves: list[bytes]) -> bytes:
        manifest = Manifest(
            source=f"chenu/{self._service}", generation=state["generation"], number=number,
            count=len(leaves), root=root_of(leaves),
            previous_snapshot=state["snapshot"], snapshot=state["now"],
        )  # fmt: skip
        manifest.create_time.GetCurrentTime()
        return manifest.SerializeToString(deterministic=True)

    async def _publish(self, connection: Any) -> None:
        """In order, each marked when JetStream has it; after a failure in the next turn."""
        bundles = await connection.fetch(_UNPUBLISHED, _AT_ONCE)
        for bundle in bundles:
            number, events = bundle["number"], bundle["events"]
            if len(events) != bundle["count"]:
                raise LookupError("the outbox no longer holds all events of the bundle")
            data = Bundle(manifest=bundle["manifest"], events=events)
            try:
                await self._messaging.publish_bundle(
                    self._service, number, bundle["attempt"], data.SerializeToString()
                )
            except NotPublished as error:
                _log.warning(
                    "not published", service=self._service, number=number, error=str(error)
                )
                return
            await connection.execute(_MARK, number)
            PUBLISHED.labels(self._service).set(number)
        self._unpublished = len(bundles) == _AT_ONCE


async def _split(rows: Any) -> AsyncIterator[tuple[list[int], list[bytes]]]:
    """Groups of rows that fit a bundle: their seqs and leaf hashes."""
    seqs: list[int] = []
    leaves: list[bytes] = []
    size = 0
    async for row in rows:
        if seqs and size + len(row["event"]) > _ROOM:
            yield seqs, leaves
            seqs, leaves, size = [], [], 0
        seqs.append(row["seq"])
        leaves.append(leaf_hash(row["event"]))
        size += len(row["event"]) + 8
    if seqs:
        yield seqs, leaves
