"""Time that passes while people work. Pure: the same moment always gets the same answer."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from chenu.governance.v1.approval_pb2 import WorkingHours

_ONE_DAY = timedelta(days=1)
# Without a working day in so many days the calendar has none: then the plain clock goes on.
_LONGEST_PAUSE = 400


def later(moment: datetime, duration: timedelta, hours: WorkingHours | None) -> datetime:
    """The moment when so much time has passed, counting working hours only where there are any."""
    if hours is None:
        return moment + duration
    left, pause = duration, 0
    day = moment.astimezone(ZoneInfo(hours.time_zone)).date()
    while pause < _LONGEST_PAUSE:
        begin, end = _working_day(day, hours)
        begin = max(begin, moment)
        if begin < end:
            if left <= end - begin:
                return begin + left
            left, pause = left - (end - begin), 0
        day, pause = day + _ONE_DAY, pause + 1
    return moment + duration


def _working_day(day: date, hours: WorkingHours) -> tuple[datetime, datetime]:
    """From when until when people work that day, in UTC; nothing on a day off."""
    start = _at(day, hours.start, hours.time_zone)
    if day.isoweekday() not in hours.days or day.isoformat() in hours.holidays:
        return start, start
    return start, _at(day, hours.end, hours.time_zone)


def _at(day: date, clock: str, zone: str) -> datetime:
    if clock == "24:00":
        day, clock = day + _ONE_DAY, "00:00"
    # Converted at once: the clocks of a zone may jump, the time between two moments does not.
    return datetime.combine(day, time.fromisoformat(clock), ZoneInfo(zone)).astimezone(UTC)
