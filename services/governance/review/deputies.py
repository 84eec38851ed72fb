"""Deputies: who votes in somebody's place, and until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from chenu.governance.v1.deputy_service_pb2 import Deputy
from kernel.caller import Caller
from kernel.context import new_id
from kernel.database import Database, Record, Transaction
from kernel.errors import Forbidden
from kernel.statement import Statement
from services.governance import audit_events
from services.governance.clock import Clock
from services.governance.errors import DeputyInvalid, NotEntitled
from services.governance.messages import stamp
from services.governance.review.eligibility import Eligibility

LONGEST: Final = timedelta(days=90)
_SELECT: Final = (
    "SELECT deputy_id, person, deputy, create_time, end_time, dismiss_time FROM deputies"
)
_IN_FORCE: Final = (
    "dismiss_time IS NULL AND end_time > clock_timestamp() + CAST(:offset AS interval)"
)
_SAME: Final = Statement(
    f"{_SELECT} WHERE person = :person AND deputy = :deputy AND end_time = :end_time"
    " AND dismiss_time IS NULL"
)
_FIND: Final = Statement(f"{_SELECT} WHERE deputy_id = :deputy_id")
_LIST: Final = Statement(
    f"{_SELECT} WHERE {_IN_FORCE} ORDER BY create_time DESC, deputy_id DESC LIMIT 200"
)
_APPOINT: Final = Statement(
    "INSERT INTO deputies (deputy_id, tenant, person, identity, roles, deputy, end_time)"
    " VALUES (:deputy_id, :tenant, :person, :identity, :roles, :deputy, :end_time)"
)
_DISMISS: Final = Statement(
    "UPDATE deputies SET dismiss_time = clock_timestamp()"
    " WHERE deputy_id = :deputy_id AND person = :person AND dismiss_time IS NULL"
)


class Deputies:
    """Appoints and dismisses the caller's deputies."""

    def __init__(self, database: Database, eligibility: Eligibility, clock: Clock) -> None:
        self._database, self._eligibility, self._clock = database, eligibility, clock

    async def appoint(self, caller: Caller, deputy: str, end_time: datetime) -> Deputy:
        """Somebody living of the tenant, until a time that is not far away."""
        now = self._clock.at(datetime.now(UTC))
        if not now < end_time <= now + LONGEST:
            raise DeputyInvalid("a deputy's time ends within the next 90 days")
        if deputy == caller.person:
            raise DeputyInvalid("nobody is their own deputy")
        if not await self._eligibility.lives(caller, deputy):
            raise NotEntitled(cause="UNKNOWN_PERSON", subject=f"person/{deputy}")
        wanted = {"person": caller.person, "deputy": deputy, "end_time": end_time}
        async with self._database.transaction(caller) as tx:
            same = await tx.fetch_one(_SAME, **wanted)
            if same is not None:
                return _message(same)
            deputy_id = new_id()
            await tx.execute(
                _APPOINT,
                **wanted,
                deputy_id=deputy_id,
                tenant=caller.tenant,
                identity=caller.identity,
                roles=list(caller.roles),
            )
            tx.emit(audit_events.deputy_appointed(caller, deputy_id, deputy, end_time.isoformat()))
            return await _find(tx, deputy_id)

    async def dismiss(self, caller: Caller, deputy_id: str) -> Deputy:
        """From now on; only who appointed the deputy does it."""
        async with self._database.transaction(caller) as tx:
            dismissed = await tx.execute(_DISMISS, deputy_id=deputy_id, person=caller.person)
            found = await _find(tx, deputy_id)
            if found.person_id != caller.person:
                raise Forbidden(subject=f"deputy/{deputy_id}")
            if dismissed:
                tx.emit(audit_events.deputy_dismissed(caller, deputy_id))
            return found

    async def in_force(self, caller: Caller) -> list[Deputy]:
        """The caller's deputies, and whose deputy the caller is."""
        async with self._database.transaction(caller) as tx:
            rows = await tx.fetch(_LIST, offset=self._clock.offset)
        return [_message(row) for row in rows]


async def _find(tx: Transaction, deputy_id: str) -> Deputy:
    row = await tx.fetch_one(_FIND, deputy_id=deputy_id)
    if row is None:
        raise Forbidden(subject=f"deputy/{deputy_id}")
    return _message(row)


def _message(row: Record) -> Deputy:
    return Deputy(
        deputy_id=row["deputy_id"],
        person_id=row["person"],
        deputy_person_id=row["deputy"],
        create_time=stamp(row["create_time"]),
        end_time=stamp(row["end_time"]),
        dismiss_time=stamp(row["dismiss_time"]),
    )
