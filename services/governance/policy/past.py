"""Decisions that were really made, read with all that a replay needs of them.

Each identity's content is read as that identity; what leaves here is verdicts' stuff only.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from chenu_gate.action import Action, ActionKind, Principal, Tool
from kernel.caller import Caller
from kernel.context import background, current
from kernel.database import Database, Record
from kernel.statement import Statement
from services.governance.policy.counters import Counter, Measure
from services.governance.policy.history import History, Step
from services.governance.policy.replay import Verdict, Version, gated
from services.governance.policy.rule import Effect, Facts

MOST_COUNTED: Final = 10_000
# So far the clocks of a service and its database may be apart.
_APART: Final = timedelta(minutes=5)
_UNPINNED: Final = "sha256:" + "0" * 64
# Operations of governance's own are always decided by people, whatever the rules say.
_DECISIONS: Final = Statement(
    "SELECT d.decision_id, d.identity, d.kind, d.tool, d.effect, d.rule, d.facts, d.approval,"
    " d.create_time, c.type, c.edited_digest IS NOT NULL AS edited"
    " FROM decisions AS d LEFT JOIN checkpoints AS c USING (decision_id)"
    " WHERE d.tenant = CAST(:tenant AS uuid) AND d.executor <> 'governance'"
    " AND (CAST(:start AS timestamptz) IS NULL OR d.create_time >= :start)"
    " AND (CAST(:end AS timestamptz) IS NULL OR d.create_time < :end)"
    # Ids are ordered by time, and there is an index on them.
    " ORDER BY d.decision_id DESC LIMIT :limit"
)
# As `counted` is kept: what is denied or refused adds nothing, and what comes to nothing no more.
_COUNTED: Final = Statement(
    "SELECT d.decision_id, d.identity, d.person, d.agent, d.kind, d.tool, d.executor, d.thread,"
    " d.run, d.create_time, c.edited_digest IS NOT NULL AS edited,"
    " CASE WHEN c.state IN ('rejected', 'expired', 'cancelled', 'superseded')"
    " THEN c.resolve_time END AS undone"
    " FROM decisions AS d LEFT JOIN checkpoints AS c USING (decision_id)"
    " WHERE d.tenant = CAST(:tenant AS uuid) AND d.effect <> 'deny' AND d.refusal = ''"
    " AND (CAST(:kinds AS text[]) = '{}' OR d.kind = ANY(CAST(:kinds AS text[])))"
    " AND d.create_time > :since AND d.create_time < :until"
    # So that nothing is searched that is older.
    " AND d.decision_id > CAST(:first AS uuid) ORDER BY d.decision_id DESC LIMIT :limit"
)
_ACTIONS: Final = Statement(
    "SELECT decision_id, action FROM actions WHERE decision_id = ANY(CAST(:decisions AS uuid[]))"
)
_EDITS: Final = Statement(
    "SELECT c.decision_id, e.rule, e.facts, e.approval, e.create_time, n.action"
    " FROM edits AS e JOIN checkpoints AS c USING (checkpoint_id)"
    " LEFT JOIN edited_views AS n ON n.checkpoint_id = e.checkpoint_id"
    " AND n.revision = e.revision"
    " WHERE c.decision_id = ANY(CAST(:decisions AS uuid[])) ORDER BY e.checkpoint_id, e.revision"
)


class PastDecision(NamedTuple):
    """A decision as it stood at last, with all that was judged on the way.

    `asked` tells whether people were; `built_in` beside which built-in rules it was judged.
    """

    row: Record
    verdict: Verdict
    asked: bool
    versions: tuple[Version, ...]
    built_in: str


class _Contents(NamedTuple):
    """By decision: the text of its action, and its edits in their order."""

    actions: Mapping[str, str]
    edits: Mapping[str, Sequence[Record]]


class Past:
    """Reads what decisions keep."""

    def __init__(self, database: Database, worker: Database) -> None:
        self._database, self._worker = database, worker

    async def decisions(
        self, tenant: str, *, limit: int, start: datetime | None, end: datetime | None
    ) -> list[PastDecision]:
        """The tenant's last decisions, the latest first."""
        async with self._worker.work() as tx:
            rows = await tx.fetch(_DECISIONS, tenant=tenant, start=start, end=end, limit=limit)
        contents = await self._contents(tenant, rows)
        # In a thread: others go on deciding meanwhile.
        return await asyncio.to_thread(lambda: [_past(row, contents) for row in rows])

    async def history(
        self, tenant: str, counters: Sequence[Counter], decisions: Sequence[PastDecision]
    ) -> History:
        """What was counted before and between these decisions, as far back as counters look."""
        if not counters or not decisions:
            return History(())
        moments = [version.time for one in decisions for version in one.versions]
        window = timedelta(seconds=max(counter.window_seconds for counter in counters))
        since = min(moments) - window
        every = any(not counter.kinds for counter in counters)
        kinds = {kind.value for counter in counters for kind in counter.kinds}
        async with self._worker.work() as tx:
            rows = await tx.fetch(
                _COUNTED,
                tenant=tenant,
                kinds=[] if every else sorted(kinds),
                since=since,
                first=_earliest_id(since - _APART),
                until=max(moments),
                limit=MOST_COUNTED + 1,
            )
        history = History(counters, rows[-1]["create_time"] if len(rows) > MOST_COUNTED else None)
        sums = any(counter.measure is Measure.AMOUNT for counter in counters)
        contents = await self._contents(tenant, rows) if sums else _Contents({}, {})

        def add_all() -> None:
            for row in rows:
                history.add(row["decision_id"], list(_steps(tenant, row, contents)))
            history.close()

        await asyncio.to_thread(add_all)
        return history

    async def _contents(self, tenant: str, rows: Sequence[Record]) -> _Contents:
        """Each identity's as that identity."""
        by_identity: dict[str, list[Record]] = defaultdict(list)
        for row in rows:
            by_identity[row["identity"]].append(row)
        actions: dict[str, str] = {}
        edits: dict[str, list[Record]] = defaultdict(list)
        for identity, own in by_identity.items():
            owner = Caller.system(service="governance", tenant=tenant, identity=identity)
            edited = [row["decision_id"] for row in own if row["edited"]]
            with background(current().method, owner):
                async with self._database.transaction(owner) as tx:
                    every = [row["decision_id"] for row in own]
                    for row in await tx.fetch(_ACTIONS, decisions=every):
                        actions[row["decision_id"]] = row["action"]
                    for row in await tx.fetch(_EDITS, decisions=edited) if edited else ():
                        edits[row["decision_id"]].append(row)
        return _Contents(actions, edits)


def _earliest_id(moment: datetime) -> str:
    """A UUIDv7 that is before all that are made later: they begin with their milliseconds."""
    return str(UUID(int=int(moment.timestamp() * 1000) << 80))


def recorded(row: Mapping[str, Any] | Record) -> Verdict:
    """The verdict that a decision keeps."""
    effect = Effect(row["effect"])
    if effect is not Effect.CHECKPOINT:
        return Verdict(effect, row["rule"])
    return gated(row["rule"], row["type"] or "", row["approval"])


def _past(row: Record, contents: _Contents) -> PastDecision:
    edits = contents.edits.get(row["decision_id"], ())
    verdict, facts = recorded(row), row["facts"]
    versions = [_version(row, contents.actions.get(row["decision_id"]))]
    for edit in edits:
        verdict, facts = gated(edit["rule"], row["type"], edit["approval"]), edit["facts"]
        versions.append(_version(edit, edit["action"]))
    return PastDecision(row, verdict, bool(row["type"]), tuple(versions), facts.get("built_in", ""))


def _version(row: Record, action: str | None) -> Version:
    parsed = None if action is None else Action.parse(action.encode())
    return Version(parsed, Facts.read(row["facts"]), row["create_time"])


def _steps(tenant: str, row: Record, contents: _Contents) -> Iterator[Step]:
    """Without its content an action still tells what it is, whose and from where."""
    content = contents.actions.get(row["decision_id"])
    told = Action(
        kind=ActionKind(row["kind"]),
        tool=Tool(row["tool"], _UNPINNED),
        executor=row["executor"],
        principal=Principal(tenant, row["person"], row["identity"], row["agent"]),
        thread=row["thread"],
        run=row["run"],
    )
    yield _step(row["create_time"], content, told, row["undone"])
    for edit in contents.edits.get(row["decision_id"], ()):
        yield _step(edit["create_time"], edit["action"], told, row["undone"])


def _step(time: datetime, content: str | None, told: Action, undone: datetime | None) -> Step:
    if content is None:
        return Step(time, told, known=False, undone=undone)
    return Step(time, Action.parse(content.encode()), undone=undone)
