"""The versions of each stream: gapless, or there is a hole that its source is asked to fill.

A bundle may hold version 3 before the next brings version 2, since bundles follow
transactions; so a hole is looked at only when it has been there for a while.
"""

from collections.abc import Awaitable, Callable, Sequence
from itertools import chain, islice
from typing import Any, Final

import grpc
import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import ARRAY, insert

from kernel.database import Database, Transaction
from kernel.statement import Statement
from services.audit import alerts
from services.audit.reading import Leaf, read_event
from services.audit.tables import streams

_PATIENCE_SECONDS: Final = 2.0
_AT_ONCE: Final = 50
_TOLD: Final = 20
_counted = (
    sa.select(
        sa.bindparam("source", type_=sa.Text).label("source"),
        sa.func.unnest(sa.bindparam("streams", type_=ARRAY(sa.Text))).label("stream"),
        sa.func.unnest(sa.bindparam("highest", type_=ARRAY(sa.BigInteger))).label("highest"),
        sa.func.unnest(sa.bindparam("held", type_=ARRAY(sa.BigInteger))).label("held"),
    )
)  # fmt: skip
_added = insert(streams).from_select(["source", "stream", "highest", "held"], _counted)
_COUNT: Final = Statement(
    _added.on_conflict_do_update(
        index_elements=["source", "stream"],
        set_={
            "highest": sa.func.greatest(streams.c.highest, _added.excluded.highest),
            "held": streams.c.held + _added.excluded.held,
            "update_time": sa.func.clock_timestamp(),
        },
    )
)
_HOLES: Final = Statement(
    sa.select(streams)
    .where(
        streams.c.held != streams.c.highest,
        streams.c.update_time
        < sa.func.clock_timestamp() - sa.func.make_interval(0, 0, 0, 0, 0, 0, sa.bindparam("secs")),
    )
    .order_by(streams.c.update_time)
    .limit(_AT_ONCE)
)
_LOOKED_AT: Final = Statement(
    sa.update(streams)
    .where(
        streams.c.source == sa.bindparam("of_source"), streams.c.stream == sa.bindparam("of_stream")
    )
    .values(update_time=sa.func.clock_timestamp())
)
# What lies between neighbours; the one after the highest stands for the end. A stream that had more
# than is there was pruned, and begins with what is left.
_GAPS: Final = Statement("""
    SELECT before + 1 AS low, version - 1 AS high,
        CAST(sum(version - before - 1) OVER () AS bigint) AS missing
    FROM (SELECT version, coalesce(lag(version) OVER (ORDER BY version),
            CASE WHEN sum(times) OVER () < :held THEN version - 1 ELSE 0 END) AS before
        FROM (SELECT version, count(*) AS times FROM audit.entries
            WHERE source = :source AND stream = :stream AND kind = 'event' AND version > 0
            GROUP BY version
            UNION ALL SELECT CAST(:highest AS bigint) + 1, 0) AS there) AS walked
    WHERE version > before + 1 ORDER BY low LIMIT 100""")
_MENDED: Final = Statement(
    sa.text(
        "SELECT a.kind, a.source, a.subject FROM audit.alerts a"
        " JOIN audit.streams s ON s.source = a.source AND s.stream = a.subject"
        " WHERE a.close_time IS NULL AND a.kind = 'VERSION_HOLE' AND s.held = s.highest"
    )
)
ListVersions = Callable[[str, str, int], Awaitable[Sequence[bytes]]]
AddLeaves = Callable[[str, Sequence[Leaf]], Awaitable[int]]
_log = structlog.get_logger(component="streams")


async def count(tx: Transaction, source: str, leaves: Sequence[Leaf]) -> None:
    """Count the versions that these leaves bring."""
    found: dict[str, tuple[int, int]] = {}
    for leaf in leaves:
        if leaf.kind == "event" and leaf.stream and leaf.version:
            highest, held = found.get(leaf.stream, (0, 0))
            found[leaf.stream] = max(highest, leaf.version), held + 1
    if found:
        names = sorted(found)  # in one order, so that two writers never wait for each other
        await tx.execute(
            _COUNT,
            source=source,
            streams=names,
            highest=[found[name][0] for name in names],
            held=[found[name][1] for name in names],
        )


class Holes:
    """Fills holes in streams from their sources; what cannot be filled is an alert."""

    def __init__(self, worker: Database, ask: ListVersions, add: AddLeaves) -> None:
        self._worker, self._ask, self._add = worker, ask, add

    async def look(self) -> None:
        """Mend what has been broken for a while; each hole is looked at in turn."""
        async with self._worker.work() as tx:
            for mended in await tx.fetch(_MENDED):
                await alerts.close_alert(tx, mended["kind"], mended["source"], mended["subject"])
            broken = await tx.fetch(_HOLES, secs=_PATIENCE_SECONDS)
        for row in broken:
            await self._mend(row)

    async def _mend(self, row: Any) -> None:
        source, stream = row["source"], row["stream"]
        async with self._worker.work() as tx:
            await tx.execute(_LOOKED_AT, of_source=source, of_stream=stream)
            highest, held = row["highest"], row["held"]
            gaps = await tx.fetch(_GAPS, source=source, stream=stream, highest=highest, held=held)
            if not gaps and held > highest:  # more events than versions: one was told twice
                told = {"surplus": str(held - highest)}
                await alerts.raise_alert(tx, alerts.VERSION_TWICE, source, stream, **told)
            if not gaps:
                return
        first, missing = gaps[0]["low"], gaps[0]["missing"]
        _log.warning("versions are missing", source=source, stream=stream, first=first)
        try:
            events = await self._ask(source, stream, first)
        except (grpc.aio.AioRpcError, LookupError) as problem:
            _log.warning("their source does not answer", source=source, problem=str(problem))
            events = ()
        leaves = [read_event(event, source) for event in events]
        spans = [range(gap["low"], gap["high"] + 1) for gap in gaps]
        wanted = [
            leaf for leaf in leaves
            if leaf.stream == stream and any(leaf.version in span for span in spans)
        ]  # fmt: skip
        if await self._add(source, wanted) < missing:
            async with self._worker.work() as tx:
                some = islice(chain.from_iterable(spans), _TOLD)
                told = {"versions": ",".join(map(str, some)), "missing": str(missing)}
                await alerts.raise_alert(tx, alerts.VERSION_HOLE, source, stream, **told)
