"""Sums of the past, added up from decisions, against what the table of counted rows would say."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from chenu_gate.action import Action, ActionKind
from services.governance.policy.counters import Counter, Measure, Per
from services.governance.policy.history import (
    COUNTED_ACTION_ERASED,
    HISTORY_TOO_LONG,
    History,
    Step,
)
from tests.support.actions import an_action
from tests.unit.governance.test_rules import NOW

HERE = an_action(kind=ActionKind.UPDATE, targets=())
COUNTERS = tuple(
    Counter(name=f"{measure}_{per}_{window}", measure=measure, per=per, window_seconds=window,
            kinds=kinds)
    for measure in Measure
    for per in (Per.TENANT, Per.RUN)
    for window, kinds in ((3, ()), (50, (ActionKind.UPDATE,)))
)  # fmt: skip


class Row(NamedTuple):
    """As `counted` keeps it: what is undone gets its opposite, dated like itself."""

    time: datetime
    decision: str
    tally: str
    amount: int


@dataclass
class Decided:
    decision: str
    steps: list[Step] = field(default_factory=list)


@dataclass
class Told:
    """A world in which somebody counts from the first moment on."""

    rows: list[Row] = field(default_factory=list)
    decisions: list[Decided] = field(default_factory=list)
    said: list[tuple[Counter, Action, datetime, str, int]] = field(default_factory=list)

    def decide(self, action: Action, at: datetime) -> None:
        one = Decided(f"{len(self.decisions):04}")
        self._look(action, at, one.decision)
        self._count(one, Step(at, action))
        self.decisions.append(one)

    def edit(self, one: Decided, action: Action, at: datetime) -> None:
        if one.steps[0].undone is None:
            self._count(one, Step(at, action))

    def undo(self, one: Decided, at: datetime) -> None:
        if one.steps[0].undone is None:
            one.steps = [step._replace(undone=at) for step in one.steps]
            self._take_back(one.decision)

    def _take_back(self, decision: str, tally: str = "") -> None:
        net = defaultdict[Row, int](int)
        for row in self.rows:
            if row.decision == decision and tally in ("", row.tally):
                net[row._replace(amount=0)] -= row.amount
        self.rows += [row._replace(amount=amount) for row, amount in net.items() if amount]

    def _look(self, action: Action, at: datetime, decision: str) -> None:
        for counter in COUNTERS:
            since = at - timedelta(seconds=counter.window_seconds)
            value = sum(
                row.amount
                for row in self.rows
                if row.tally == counter.tally(action) and row.time > since
            )
            self.said.append((counter, action, at, decision, value))

    def _count(self, one: Decided, step: Step) -> None:
        for counter in COUNTERS:
            if counter.counts(step.action):
                before = counter.contribution(one.steps[-1].action) if one.steps else 0
                amount = counter.contribution(step.action)
                row = Row(step.time, one.decision, counter.tally(step.action), amount)
                if amount != before:
                    self._take_back(one.decision, row.tally)
                    self.rows.append(row)
        one.steps.append(step)


happenings = st.lists(
    st.tuples(
        st.sampled_from(("decide", "decide", "edit", "undo")),
        st.integers(0, 30),
        st.sampled_from((ActionKind.UPDATE, ActionKind.SEARCH)),
        st.sampled_from(("r1", "r2")),
        st.integers(0, 9),
        st.integers(1, 4),
    ),
    max_size=25,
)


def a_world(happened: list[tuple[str, int, ActionKind, str, int, int]]) -> Told:
    world, at = Told(), NOW
    for what, which, kind, run, amount, pause in happened:
        at += timedelta(seconds=pause)
        if what == "decide":
            arguments = {"amount_micros": amount}
            world.decide(replace(HERE, kind=kind, run=run, arguments=arguments), at)
        elif world.decisions:
            one = world.decisions[which % len(world.decisions)]
            edited = replace(one.steps[0].action, arguments={"amount_micros": amount})
            world.undo(one, at) if what == "undo" else world.edit(one, edited, at)
    return world


def a_history(world: Told, since: datetime | None = None) -> History:
    history = History(COUNTERS, since)
    for one in reversed(world.decisions):
        history.add(one.decision, one.steps)
    history.close()
    return history


@settings(max_examples=60)
@given(happened=happenings)
def test_what_is_added_up_later_is_what_was_counted_then(
    happened: list[tuple[str, int, ActionKind, str, int, int]],
) -> None:
    world = a_world(happened)
    history = a_history(world)
    for counter, action, at, decision, value in world.said:
        assert history.before(counter, action, at, decision) == value


def test_an_erased_action_still_counts_as_one_but_its_amount_is_not_known() -> None:
    count, total = (
        Counter(name="c", measure=measure, per=Per.TENANT, window_seconds=10)
        for measure in (Measure.COUNT, Measure.AMOUNT)
    )
    history = History((count, total))
    history.add("1", [Step(NOW, HERE, known=False)])
    history.close()
    for seconds, found in ((5, (1, COUNTED_ACTION_ERASED)), (10, (0, 0))):
        at = NOW + timedelta(seconds=seconds)
        assert tuple(history.before(one, HERE, at, "2") for one in (count, total)) == found


def test_a_window_that_reaches_beyond_what_was_read_is_not_guessed() -> None:
    counter = Counter(name="c", measure=Measure.COUNT, per=Per.TENANT, window_seconds=10)
    history = History((counter,), since=NOW)
    history.close()
    assert history.before(counter, HERE, NOW + timedelta(seconds=9), "1") == HISTORY_TOO_LONG
    assert history.before(counter, HERE, NOW + timedelta(seconds=10), "1") == 0


def test_what_waits_is_not_counted_against_its_own_edit() -> None:
    counter = Counter(name="c", measure=Measure.AMOUNT, per=Per.TENANT, window_seconds=10)
    asked = replace(HERE, arguments={"amount_micros": 7})
    history = History((counter,))
    history.add("1", [Step(NOW, asked)])
    history.close()
    at = NOW + timedelta(seconds=1)
    assert history.before(counter, asked, at, "1") == 0
    assert history.before(counter, asked, at, "2") == 7
