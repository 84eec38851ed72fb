"""What counters would have said at moments of the past, whoever counted then. Pure.

A sum of the present is read from the table `counted`, which knows what the rules of the time had
counted. Here it is added up from the decisions themselves, as if it had been counted all along.
What the decisions of before came to is taken as it really was, not as other rules would have it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from chenu_gate.action import Action
from services.governance.policy.counters import Counter, Measure

HISTORY_TOO_LONG: Final = "HISTORY_TOO_LONG"
COUNTED_ACTION_ERASED: Final = "COUNTED_ACTION_ERASED"


class Step(NamedTuple):
    """An action that was let through or put before people at a moment, by itself or by an edit.

    `known` tells whether its arguments are; `undone` when it ceased to count, if it did.
    """

    time: datetime
    action: Action
    known: bool = True
    undone: datetime | None = None


class _Entry(NamedTuple):
    time: datetime
    decision_id: str
    amount: int | None
    undone: datetime | None


class History:
    """What was counted, by what it counts towards; all of it, or what is later than `since`."""

    def __init__(self, counters: Sequence[Counter], since: datetime | None = None) -> None:
        self._counters, self._since = counters, since
        self._entries: dict[str, list[_Entry]] = defaultdict(list)

    def add(self, decision_id: str, steps: Sequence[Step]) -> None:
        """A decision with its edits, in their order; what an edit changes counts from then on."""
        for counter in self._counters:
            entries: list[_Entry] = []
            for step in steps if counter.counts(steps[0].action) else ():
                amount = _contribution(counter, step)
                if entries and amount is not None and entries[-1].amount == amount:
                    continue
                if entries:
                    entries[-1] = entries[-1]._replace(undone=step.time)
                entries.append(_Entry(step.time, decision_id, amount, step.undone))
            told = [entry for entry in entries if entry.amount != 0]
            self._entries[counter.tally(steps[0].action)] += told

    def close(self) -> None:
        """All is added; from now on it can be asked."""
        for entries in self._entries.values():
            entries.sort(key=lambda entry: entry[:2])

    def before(
        self, counter: Counter, action: Action, moment: datetime, decision_id: str
    ) -> int | str:
        """What the counter would have said when this was decided; text says why nobody knows."""
        since = moment - timedelta(seconds=counter.window_seconds)
        if self._since is not None and since < self._since:
            return HISTORY_TOO_LONG
        entries = self._entries.get(counter.tally(action), [])
        first = bisect_right(entries, since, key=lambda entry: entry.time)
        end = bisect_left(entries, (moment, decision_id), key=lambda entry: entry[:2])
        amounts = [
            entry.amount
            for entry in entries[first:end]
            if (entry.undone is None or entry.undone > moment)
            # What waits is not counted against its own edit.
            and entry.decision_id != decision_id
        ]
        known = [amount for amount in amounts if amount is not None]
        return sum(known) if len(known) == len(amounts) else COUNTED_ACTION_ERASED


def _contribution(counter: Counter, step: Step) -> int | None:
    """None where it cannot be known any more."""
    if counter.measure is Measure.AMOUNT and not step.known:
        return None
    return counter.contribution(step.action)
