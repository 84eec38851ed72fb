"""Refused calls leave a trace too: an audit event in a commit of its own.

The first refusal of a (method, caller, reason) is recorded before the client
hears of it; repeats within a minute become one event that counts them.
"""

import asyncio
import time
from typing import Final

import structlog

from chenu.events.v1.audit_event_pb2 import AUDIT_ACTION_DENY
from kernel.audit_event import AuditRecord, Decision, keyed_digest, record
from kernel.caller import Caller
from kernel.context import CallContext, background
from kernel.database import Database
from kernel.errors import ServiceError, Unauthenticated

WINDOW_SECONDS: Final = 60.0
WRITE_SECONDS: Final = 5.0
_SUBJECTS: Final = 32
_KEYS: Final = 10_000
_log: Final = structlog.get_logger(component="denials")
Key = tuple[str, str, str, str]


class _Repeats:
    __slots__ = ("caller", "code", "count", "credential", "since", "subjects")

    def __init__(self, call: CallContext, error: ServiceError) -> None:
        self.caller, self.code, self.since = call.caller, error.code.name, time.monotonic()
        self.count, self.subjects = 0, set[str]()
        presented = "authorization" in call.metadata
        unknown = isinstance(error, Unauthenticated)
        self.credential = ("refused" if presented else "none") if unknown else ""


class Denials:
    """Records the denials of one service."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[Key, _Repeats] = {}

    async def note(self, call: CallContext, error: ServiceError) -> None:
        """Record it now, or count it; never fails, the answer is a refusal either way."""
        key = (call.method, call.caller.identity, call.caller.principal, error.reason)
        repeats = self._seen.get(key)
        if repeats is not None:
            repeats.count += 1
            if error.subject and len(repeats.subjects) < _SUBJECTS:
                repeats.subjects.add(error.subject)
            return
        if len(self._seen) >= _KEYS:
            await self.flush(everything=True)
        self._seen[key] = repeats = _Repeats(call, error)
        subjects = {error.subject} if error.subject else set[str]()
        await self._write([self._event(key, repeats, 1, subjects, call)])

    async def flush(self, *, everything: bool = False) -> None:
        """Record the repeats of each window that is over; at the end, of all."""
        now, events = time.monotonic(), []
        for key, repeats in list(self._seen.items()):
            if not everything and now - repeats.since < WINDOW_SECONDS:
                continue
            del self._seen[key]
            if repeats.count:
                with background(key[0]) as call:
                    events.append(self._event(key, repeats, repeats.count, repeats.subjects, call))
        await self._write(events)

    async def flush_forever(self) -> None:
        """A background task of the service."""
        while True:
            await asyncio.sleep(1)
            await self.flush()

    def _event(
        self, key: Key, repeats: _Repeats, count: int, subjects: set[str], call: CallContext
    ) -> AuditRecord:
        method, _, _, reason = key
        details = {"count": str(count)}
        if repeats.credential:
            details["credential"] = repeats.credential
        if call.peer_ip:
            # An address is a person's; its digest tells as much of who tries and tries.
            details["origin"] = keyed_digest(self._database.schema, {"ip": call.peer_ip})[12:28]
        return record(
            source=self._database.schema, type="call.denied", action=AUDIT_ACTION_DENY,
            subject=f"method{method}"[:200], caller=repeats.caller, outcome=repeats.code,
            reason=reason, details=details, targets=sorted(subjects),
            decision=Decision(effect="DENY", rule=reason),
        )  # fmt: skip

    async def _write(self, events: list[AuditRecord]) -> None:
        if not events:
            return
        # A task of its own: a client that hangs up does not escape its record.
        task = asyncio.ensure_future(self._commit(events))
        await asyncio.wait({task}, timeout=WRITE_SECONDS)
        if not task.done() or task.exception():  # the call is refused whatever happens here
            error = task.exception() if task.done() else "it takes too long"
            _log.error("a denial could not be recorded", error=repr(error), count=len(events))

    async def _commit(self, events: list[AuditRecord]) -> None:
        with background("denials"):
            async with self._database.transaction(Caller.system()) as tx:
                for event in events:
                    tx.keep(event)
