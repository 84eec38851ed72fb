"""Deputies: who votes in somebody's place, and until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from chenu.governance.v1.authorization_service_pb2 import Verdict
from chenu.governance.v1.deputy_service_pb2 import AppointDeputyRequest, Deputy
from chenu_gate.action import ActionKind, Target
from chenu_gate.tools import TargetArgument, Tool
from kernel.caller import Caller
from kernel.database import Database, Record, Transaction
from kernel.errors import Forbidden
from kernel.statement import Statement
from services.governance import audit_events
from services.governance.clock import Clock
from services.governance.errors import DeputyInvalid, NotEntitled
from services.governance.messages import moment, stamp
from services.governance.operations import (
    Approved,
    Found,
    Operation,
    OperationRefused,
    Operations,
)
from services.governance.policy.rule import OWN_EXECUTOR
from services.governance.review.eligibility import Eligibility

LONGEST: Final = timedelta(days=90)
APPOINT: Final = Tool.declare(
    name="deputy.appoint",
    description="Lets another person vote in the asker's place, in these roles, until then.",
    input_schema={
        "type": "object",
        "properties": {
            "deputy": {"type": "string"},
            "roles": {"type": "array"},
            "end_time": {"type": "string"},
        },
        "required": ["deputy", "roles", "end_time"],
        "additionalProperties": False,
    },
    kind=ActionKind.CONFIGURE,
    executor=OWN_EXECUTOR,
    target_arguments=(TargetArgument("deputy", "person", any_version=True),),
)
_SELECT: Final = (
    "SELECT deputy_id, person, deputy, create_time, end_time, dismiss_time FROM deputies"
)
_IN_FORCE: Final = (
    "dismiss_time IS NULL AND end_time > (SELECT clock_timestamp() + CAST(:offset AS interval))"
)
_FIND: Final = Statement(f"{_SELECT} WHERE deputy_id = :deputy_id")
_LIST: Final = Statement(
    f"{_SELECT} WHERE {_IN_FORCE} ORDER BY create_time DESC, deputy_id DESC LIMIT 200"
)
_APPOINT: Final = Statement(
    "INSERT INTO deputies (deputy_id, tenant, person, identity, roles, deputy, end_time)"
    " VALUES (:deputy_id, :tenant, :person, :identity, :roles, :deputy,"
    " CAST(CAST(:end_time AS text) AS timestamptz))"
)
_DISMISS: Final = Statement(
    "UPDATE deputies SET dismiss_time = clock_timestamp()"
    " WHERE deputy_id = :deputy_id AND person = :person AND dismiss_time IS NULL"
)


class Deputies:
    """Appoints and dismisses the caller's deputies.

    An appointment hands on a vote, so it takes a vote: an access token alone would be enough to
    invite somebody and have them decide in its owner's place.
    """

    def __init__(self, database: Database, eligibility: Eligibility, clock: Clock) -> None:
        self._database, self._eligibility, self._clock = database, eligibility, clock

    def operation(self) -> Operation:
        """How an approved appointment is made."""
        return Operation(APPOINT, self._appoint)

    async def ask(
        self, operations: Operations, caller: Caller, request: AppointDeputyRequest
    ) -> Verdict:
        """The checkpoint by which the caller decides on it: who it is, and until when.

        Somebody living of the tenant, until a time that is not far away.
        """
        end = moment(request.end_time)
        # As identity writes it: the id that people read is the one that votes are compared with.
        deputy = request.deputy_person_id.lower()
        wanted = {"deputy": deputy, "end_time": end.isoformat(timespec="seconds")}

        async def find_out() -> Found:
            name = await self._name(caller, deputy, end)
            target = Target("person", deputy, name=name)
            return Found(arguments={"roles": sorted(caller.roles)}, targets=[target])

        return await operations.ask(caller, APPOINT, request.request_id, wanted, find_out)

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

    async def _name(self, caller: Caller, deputy: str, end: datetime) -> str:
        """The deputy's, who may be one; DeputyInvalid or NotEntitled for who may not."""
        now = self._clock.at(datetime.now(UTC))
        if not now < end <= now + LONGEST:
            raise DeputyInvalid("a deputy's time ends within the next 90 days")
        if deputy == caller.person:
            raise DeputyInvalid("nobody is their own deputy")
        name = await self._eligibility.name(caller, deputy)
        if name is None:
            raise NotEntitled(cause="UNKNOWN_PERSON", subject=f"person/{deputy}")
        return name

    async def _appoint(self, tx: Transaction, approved: Approved) -> None:
        asked, caller = approved.action.document()["arguments"], approved.caller
        if datetime.fromisoformat(asked["end_time"]) <= self._clock.at(datetime.now(UTC)):
            raise OperationRefused("DEPUTY_ENDED")
        await tx.execute(
            _APPOINT,
            deputy_id=approved.decision_id,
            tenant=caller.tenant,
            person=caller.person,
            identity=caller.identity,
            **asked,
        )
        tx.emit(
            audit_events.deputy_appointed(
                caller, approved.decision_id, asked["deputy"], asked["end_time"]
            )
        )


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
