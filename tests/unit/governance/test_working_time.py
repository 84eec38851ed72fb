"""Time that passes while people work."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from chenu.governance.v1.approval_pb2 import WorkingHours
from services.governance.review.working_time import later

OFFICE = WorkingHours(
    time_zone="America/Montreal",
    days=[1, 2, 3, 4, 5],
    start="09:00",
    end="17:00",
    holidays=["2026-12-25"],
)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
)
DURATIONS = st.timedeltas(timedelta(minutes=5), timedelta(hours=24))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_without_working_hours_every_hour_counts() -> None:
    assert later(at("2026-11-22T23:00:00Z"), timedelta(hours=2), None) == at("2026-11-23T01:00:00Z")


def test_a_night_a_weekend_and_a_holiday_do_not_count() -> None:
    # Thursday 16:30 and an hour; Friday is Christmas.
    end = later(at("2026-12-24T16:30:00-05:00"), timedelta(hours=1), OFFICE)
    assert end == at("2026-12-28T09:30:00-05:00")


def test_clocks_begin_when_people_come() -> None:
    early = later(at("2026-11-23T03:00:00-05:00"), timedelta(minutes=30), OFFICE)
    assert early == at("2026-11-23T09:30:00-05:00")


def test_a_day_that_ends_at_midnight_joins_the_next() -> None:
    always = WorkingHours(
        time_zone="Europe/Paris", days=[1, 2, 3, 4, 5, 6, 7], start="00:00", end="24:00"
    )
    # Over the night in which the clocks go back.
    begin = at("2026-10-24T12:00:00+02:00")
    assert later(begin, timedelta(hours=30), always) == begin + timedelta(hours=30)


def test_a_calendar_without_a_working_day_lets_the_plain_clock_go_on() -> None:
    monday_off = WorkingHours(time_zone="UTC", days=[1], start="09:00", end="10:00")
    monday_off.holidays.extend(
        (datetime(2026, 11, 23, tzinfo=UTC) + timedelta(days=7 * week)).date().isoformat()
        for week in range(60)
    )
    begin = at("2026-11-22T09:00:00Z")
    assert later(begin, timedelta(hours=1), monday_off) == begin + timedelta(hours=1)


@given(moment=MOMENTS, duration=DURATIONS, more=DURATIONS)
def test_time_never_goes_back_and_adds_up(
    moment: datetime, duration: timedelta, more: timedelta
) -> None:
    end = later(moment, duration, OFFICE)
    assert end >= moment + duration
    assert later(end, more, OFFICE) == later(moment, duration + more, OFFICE)
