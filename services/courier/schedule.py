"""When a notification is tried again: the schedule of the Standard Webhooks specification. Pure."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import Final

DELAYS: Final = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Before each attempt; the last one is tried more than three days after the first."""
LONGEST_RETRY_AFTER: Final = timedelta(hours=24)
_JITTER: Final = 0.1


def delay(attempts: int, seed: str, asked: timedelta = timedelta(0)) -> timedelta | None:
    """How long to wait after so many attempts; None where that was the last one.

    Up to a tenth longer than the schedule says, by the seed, so that what failed together does
    not come back together. `asked` is the other side's Retry-After.
    """
    if attempts >= len(DELAYS):
        return None
    share = int.from_bytes(sha256(f"{seed}/{attempts}".encode()).digest()[:4]) / 2**32
    return max(DELAYS[attempts] * (1 + _JITTER * share), min(asked, LONGEST_RETRY_AFTER))
