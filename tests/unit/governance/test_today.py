"""What of its like was permitted today, told in lines and added up by unit."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chenu_gate.action import ActionKind, Tool
from services.governance.policy.today import moved, start_of_day, used_today
from tests.support.actions import DEFINITION, an_action

MIDNIGHT = "2026-11-22T00:00:00+00:00"


def paying(**arguments: Any) -> Any:
    pay = Tool("bank.pay", DEFINITION)
    return an_action(kind=ActionKind.PAYMENT, tool=pay, arguments=arguments)


def used(**amounts: tuple[int, int]) -> dict[str, Any]:
    said = {
        unit.strip("_"): {"micros": str(micros), "untold": str(untold)}
        for unit, (micros, untold) in amounts.items()
    }
    return {"since": MIDNIGHT, "of_tool": "3", "of_kind": "5", "amounts": said}


def test_how_often_its_tool_and_its_kind_were_permitted_is_told_with_the_day() -> None:
    (told,) = used_today(an_action(), used(EUR=(7, 0)))
    assert told == (
        "Permitted for this identity today (2026-11-22, UTC), before this:"
        " 3 × thread.delete, 5 × delete in all."
    )


@pytest.mark.parametrize(
    ("arguments", "before", "told"),
    [
        ({"amount": "0.5", "currency": "eur"}, {}, "0 EUR before this, 0.5 EUR with it."),
        ({"amount": 2}, {"_": (1_250_000, 0)},
         "1.25 without a unit before this, 3.25 without a unit with it."),
        ({"amount": 1, "currency": "EUR"}, {"USD": (3_000_000, 0), "EUR": (9_000_000, 1)},
         ("9 EUR and 1 × an untold amount before this, 10 EUR and 1 × an untold amount with it."
          " Besides: 3 USD.")),
        ({"amount": "a lot", "unit": "CHF"}, {"CHF": (1_000_000, 0)},
         "1 CHF before this, 1 CHF and 1 × an untold amount with it."),
    ],
    ids=["the first of the day", "no unit", "several units", "an amount that cannot be told"],
)  # fmt: skip
def test_with_an_amount_the_sums_of_the_day_are_told_by_unit(
    arguments: dict[str, Any], before: dict[str, tuple[int, int]], told: str
) -> None:
    _, amounts = used_today(paying(**arguments), used(**before))
    assert amounts == f"Amounts of payment today: {told}"


def test_a_unit_is_letters_however_they_are_written_and_no_words() -> None:
    assert moved(paying(amount_micros=7, currency="chf")) == {"unit": "CHF", "micros": "7"}
    for words in ("to my friend", "", 7, "⟦⟧", "currencies"):
        assert moved(paying(amount=1, currency=words)) == {"unit": "", "micros": "1000000"}
    assert moved(paying(note="no amount at all")) == {"unit": ""}
    assert moved(an_action(arguments={"amount": 0})) is None


@given(st.integers(0, 2**53 - 1), st.lists(st.integers(0, 2**53 - 1), max_size=20))
def test_what_is_told_is_the_exact_sum_of_what_was_moved(own: int, others: list[int]) -> None:
    before = sum(others)
    action = paying(amount_micros=own, currency="EUR")
    lines = used_today(action, used(EUR=(before, 0)))
    if own == 0:
        assert len(lines) == 1
        return
    numbers = [Decimal(word) for word in lines[1].split() if word[0].isdigit()]
    assert numbers == [Decimal(before) / 10**6, Decimal(before + own) / 10**6]


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001
    st.integers(-14, 14),
)
def test_the_day_is_that_of_utc_whatever_zone_the_moment_is_told_in(
    moment: datetime, hours: int
) -> None:
    there = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
    began = start_of_day(there)
    assert (began.hour, began.minute, began.second, began.microsecond) == (0, 0, 0, 0)
    assert began.tzinfo is UTC
    assert timedelta(0) <= there - began < timedelta(days=1)
