"""From what is asked to what is stored: judged by what holds, and again where that has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from contextlib import nullcontext
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

from chenu.governance.v1.authorization_service_pb2 import ActionRequest
from chenu_gate.action import Action
from kernel.caller import Caller
from services.governance.decisions import Decisions, Judged
from services.governance.errors import LimitsContended
from services.governance.holds.standing import Standing
from services.governance.policy.counting import Counting, Tally, wanted
from services.governance.policy.rule_book import InForce, RuleBook
from services.governance.review.eligibility import Eligibility

T = TypeVar("T")
Basis: TypeAlias = dict[str, Any]
"""What a plan was judged by, as `governance.judged` compares it with what stands."""
LARGE_BYTES: Final = 8 << 10
_ATTEMPTS: Final = 20
_MOST_IDENTITIES: Final = 8


class Superseded(Exception):
    """The plan was judged by what does not hold any more; nothing was stored.

    `labels` are those that hold now; None where only sums have changed. `refused` are the places
    in the plan of what is refused besides the rules, in view of `standings`, and so adds nothing
    to any sum.
    """

    def __init__(
        self,
        labels: Mapping[str, str] | None = None,
        *,
        refused: Set[int] = frozenset(),
        standings: Sequence[Standing] = (),
    ) -> None:
        super().__init__("judged by what does not hold any more")
        self.labels, self.refused, self.standings = labels, refused, standings


class Judging:
    """Judges plans until one is stored that was judged by what held at that moment.

    As a rule that is the first try, and nothing but the plan itself goes to the database: what
    holds is known (`rule_book`), and sums are read only where a rule asks for them.
    """

    def __init__(
        self, decisions: Decisions, book: RuleBook, counting: Counting, eligibility: Eligibility
    ) -> None:
        self._decisions, self._book = decisions, book
        self._counting, self._eligibility = counting, eligibility

    async def settle(
        self,
        caller: Caller,
        requests: Sequence[ActionRequest],
        actions: Sequence[Action],
        store: Callable[[Sequence[Judged], Basis], Awaitable[T]],
    ) -> T:
        """What `store` makes of the judged actions; it raises Superseded to have them again."""
        identities = await self.own_identities(caller, actions)
        in_force = self._book.in_force(caller.tenant)
        refused: Set[int] = frozenset()
        standings: Sequence[Standing] = ()
        for _ in range(_ATTEMPTS):
            asked = wanted(in_force, actions)
            async with self._counting.turn(caller.tenant) if asked else nullcontext():
                tallies, decided = await self._counting.read_for(
                    caller, asked, [request.request_id.lower() for request in requests]
                )
                judge = partial(
                    self._decisions.judge,
                    caller,
                    requests,
                    actions,
                    in_force,
                    tallies={name: tally.value for name, tally in tallies.items()},
                    identities=identities,
                    refused=refused,
                    decided=decided,
                )
                judged = await compute(requests, judge)
                try:
                    basis = _basis(in_force, tallies, judged)
                    return await store(judged, basis | {"standing": standings})
                except Superseded as found:
                    labels, refused, standings = found.labels, found.refused, found.standings
            if labels is not None:
                in_force = await self._book.learn(caller, labels)
        raise LimitsContended(retry_after=timedelta(seconds=1))

    async def own_identities(self, caller: Caller, actions: Sequence[Action]) -> list[str]:
        """Those of the identities that the actions act on which are the caller's person's too.

        None that people would be shown under a name which is not its own.
        """
        named = {
            (target.id, target.name): target
            for action in actions
            for target in action.targets
            if target.type == "identity" and target.id != caller.identity
        }
        # More than anybody has: then they are foreign, which is refused.
        asked = sorted(named)[:_MOST_IDENTITIES]
        held = [await self._eligibility.holds(caller, named[key]) for key in asked]
        own = {key for key, is_own in zip(asked, held, strict=True) if is_own}
        foreign = {identity for identity, _ in named.keys() - own}
        return sorted({identity for identity, _ in own} - foreign)


async def compute(requests: Sequence[ActionRequest], work: Callable[[], T]) -> T:
    """Do the work, in a thread where the actions are so large that all others would wait."""
    if sum(len(request.action) for request in requests) < LARGE_BYTES:
        return work()
    return await asyncio.to_thread(work)


def check_sums(
    judged: Sequence[Judged], items: Sequence[dict[str, Any]], standings: Sequence[Standing]
) -> None:
    """Raise Superseded where what is refused besides the rules was counted for what comes later."""
    refused = {
        place
        for place, (one, item) in enumerate(zip(judged[:-1], items, strict=False))
        if one.counted and item["refusal"]
    }
    if refused != {place for place, one in enumerate(judged) if one.refused}:
        raise Superseded(refused=refused, standings=standings)


def _basis(in_force: InForce, tallies: Mapping[str, Tally], judged: Sequence[Judged]) -> Basis:
    """What is read is compared, what is added to is locked, in one order for everybody."""
    touched = tallies.keys() | {tally for one in judged for tally in one.counted}
    compared: list[dict[str, Any]] = []
    for name in sorted(touched):
        one: dict[str, Any] = {"tally": name}
        if name in tallies:
            one |= {"latest": tallies[name].latest, "since": tallies[name].since.isoformat()}
        compared.append(one)
    noted = any(one.counted or one.shadow for one in judged)
    return {"labels": dict(in_force.labels), "tallies": compared, "noted": noted}
