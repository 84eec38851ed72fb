"""The clock that checkpoints go by: the database's, which a test may move."""

from datetime import datetime, timedelta


class Clock:
    """How far this clock is ahead of the database's."""

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        self.offset = offset

    def at(self, moment: datetime) -> datetime:
        """What this clock says when the database says `moment`."""
        return moment + self.offset
