"""What counters say now, read before an action is judged and compared when it is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

from chenu_gate.action import Action
from kernel.caller import Caller
from kernel.database import Database, Transaction
from kernel.statement import Statement
from services.governance.clock import Clock
from services.governance.policy.counters import MOST, Counter, amount_of
from services.governance.policy.rule_book import InForce

_SUMS: Final = (
    "SELECT w.tally, w.since, least(coalesce(sum(c.amount), 0), {most})::bigint AS value,"
    " coalesce(max(c.counted_id), 0) AS latest"
    " FROM (SELECT tally, clock_timestamp() + CAST(:offset AS interval)"
    "   - seconds * interval '1 second' AS since"
    "   FROM unnest(CAST(:tallies AS text[]), CAST(:seconds AS bigint[])) AS u (tally, seconds))"
    "   AS w"
    " LEFT JOIN counted AS c ON c.tenant = CAST(:tenant AS uuid) AND c.tally = w.tally"
    "   AND c.create_time > w.since{without}"
    " GROUP BY w.tally, w.since"
)
_READ: Final = Statement(_SUMS.format(most=MOST, without=""))
_READ_OTHERS: Final = Statement(
    _SUMS.format(most=MOST, without=" AND c.decision_id <> CAST(:decision_id AS uuid)")
)
# As `governance.judged` does, one after the other: everybody holds them in the same order.
_HOLD: Final = Statement(
    "SELECT pg_advisory_xact_lock(hashtextextended(CAST(:tenant AS uuid) || tally, 1))"
    " FROM unnest(CAST(:tallies AS text[])) AS tally"
)
# After the sums were read: what is decided meanwhile has changed them, and is found out.
_DECIDED: Final = Statement(
    "SELECT request_id FROM decisions WHERE tenant = :tenant AND identity = :identity"
    " AND person = :person AND request_id = ANY(CAST(:request_ids AS uuid[]))"
)


class Tally(NamedTuple):
    """A sum as it was read, with what tells whether it has changed since."""

    value: int
    latest: int
    since: datetime


class Counting:
    """Reads sums. Plans of one tenant that are bound by them take turns in this process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def turn(self, tenant: str) -> asyncio.Lock:
        """Held while such a plan is judged and stored: others would only be judged in vain."""
        return self._turns.setdefault(tenant, asyncio.Lock())

    async def read(
        self, caller: Caller, wanted: Mapping[str, int], *, without: str = ""
    ) -> dict[str, Tally]:
        """The sums of these tallies over their windows of so many seconds.

        `without` leaves out what one decision has added itself.
        """
        if not wanted:
            return {}
        async with self._database.transaction(caller) as tx:
            return await self._read(tx, caller.tenant, wanted, without)

    async def read_for(
        self, caller: Caller, wanted: Mapping[str, int], request_ids: Sequence[str]
    ) -> tuple[dict[str, Tally], frozenset[str]]:
        """The same for a plan, with those of its requests that are decided: the sums know them."""
        if not wanted:
            return {}, frozenset()
        async with self._database.transaction(caller) as tx:
            tallies = await self._read(tx, caller.tenant, wanted, "")
            # Of one alone there is no later one that could count it again.
            rows = (
                await tx.fetch(
                    _DECIDED,
                    tenant=caller.tenant,
                    identity=caller.identity,
                    person=caller.person,
                    request_ids=list(request_ids),
                )
                if len(request_ids) > 1
                else ()
            )
        return tallies, frozenset(row["request_id"] for row in rows)

    async def hold(
        self,
        tx: Transaction,
        tenant: str,
        wanted: Mapping[str, int],
        added: Collection[str],
        *,
        without: str,
    ) -> dict[str, Tally]:
        """The sums as they stand, and nobody adds to them or to `added` until the commit."""
        held = sorted(wanted.keys() | set(added))
        if not held:
            return {}
        await tx.fetch(_HOLD, tenant=tenant, tallies=held)
        # A statement of its own: it sees what was committed before the locks were held.
        return await self._read(tx, tenant, wanted, without)

    async def _read(
        self, tx: Transaction, tenant: str, wanted: Mapping[str, int], without: str
    ) -> dict[str, Tally]:
        named = {"tenant": tenant, "tallies": list(wanted), "seconds": list(wanted.values())}
        if without:
            rows = await tx.fetch(
                _READ_OTHERS, **named, offset=self._clock.offset, decision_id=without
            )
        else:
            rows = await tx.fetch(_READ, **named, offset=self._clock.offset)
        return {row["tally"]: Tally(row["value"], row["latest"], row["since"]) for row in rows}


def wanted(in_force: InForce, actions: Iterable[Action]) -> dict[str, int]:
    """The tallies without which the actions cannot be judged, and their windows in seconds."""
    return {
        counter.tally(action): counter.window_seconds
        for action in actions
        for counter in asked_for(in_force, action)
    }


def asked_for(in_force: InForce, action: Action) -> tuple[Counter, ...]:
    """The counters that the rules in force, and those in their shadow, ask for.

    With an amount also those that only tell people how much came before (`cumulative_use`).
    """
    shadow = in_force.shadow.asks_for(action) if in_force.shadow else ()
    told = in_force.live.counted_in(action) if amount_of(action) != 0 else ()
    return (*in_force.live.asks_for(action), *shadow, *told)


def contributions(in_force: InForce, action: Action) -> dict[str, int]:
    """What the action adds, by tally; what adds nothing is left out."""
    shadow = in_force.shadow.counted_in(action) if in_force.shadow else ()
    added = {
        counter.tally(action): counter.contribution(action)
        for counter in (*in_force.live.counted_in(action), *shadow)
    }
    return {tally: amount for tally, amount in added.items() if amount}
