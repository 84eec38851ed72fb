"""What audit does about its own trail, every two seconds: holes, silence, changes, violations."""

import asyncio
import time
from math import inf
from typing import Final

from kernel.database import Database
from kernel.settings import SERVICES
from kernel.statement import Statement
from services.audit import alerts
from services.audit.scrubbing import Scrubber
from services.audit.streams import Holes
from services.audit.violations import Violations

_LONGEST: Final = 1e9
_SILENT: Final = Statement("""
    SELECT source, heard_time < clock_timestamp() - make_interval(secs => :seconds) AS silent
    FROM audit.sources""")


async def watch(
    worker: Database, holes: Holes, *, every_seconds: float, silent_seconds: float
) -> None:
    """Look at everything, for ever."""
    scrubber, violations = Scrubber(worker), Violations(worker)
    began = time.monotonic()
    while True:
        await asyncio.sleep(every_seconds)
        await holes.look()
        await scrubber.look()
        await violations.look()
        # Who has just come back has not had the time to hear of anyone.
        patience = silent_seconds if time.monotonic() - began > silent_seconds else inf
        await look_for_silence(worker, patience)


async def look_for_silence(worker: Database, seconds: float) -> None:
    """A source that does not even send its heartbeat has no relay, or no way to audit."""
    seconds = min(seconds, _LONGEST)
    async with worker.work() as tx:
        for row in await tx.fetch(_SILENT, seconds=seconds):
            # Of who is none of ours, and only once played one of them, nothing is expected.
            ours = row["source"].removeprefix("chenu/") in SERVICES
            change = alerts.raise_alert if row["silent"] and ours else alerts.close_alert
            await change(tx, alerts.SOURCE_SILENT, row["source"], "heartbeat")
        await alerts.measure(tx)
