"""Who may decide: living people of the tenant, and what entitles them."""

from collections.abc import Sequence
from typing import Final

from chenu.identity.v1.eligibility_service_pb2 import (
    ApproverList,
    CheckEligibilityRequest,
    Eligibility,
    ListApproversRequest,
    Voter,
)
from kernel.caller import UUID, Caller
from kernel.database import Database, Transaction
from kernel.grouped_write import GroupedWriter
from kernel.statement import Statement

_NOBODYS: Final = "00000000-0000-0000-0000-000000000000"
_LIST: Final = Statement(
    "SELECT person_id FROM list_approvers(:tenant, :owner_identity, :owner, :roles, :persons)"
)
_EVERYBODY: Final = Statement("SELECT person_id FROM living_people(:tenant)")
_NAMES: Final = Statement("SELECT person_id, display_name FROM names_of(:tenant, :persons)")


class EligibilityChecks:
    """Asked by governance at each vote, and again before a permit."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._check = GroupedWriter(database, "identity.check_eligibility")

    async def check(self, caller: Caller, request: CheckEligibilityRequest) -> list[Eligibility]:
        """An answer for each voter, in the order asked."""
        voters = request.voters
        found = await self._check.write(
            caller,
            {
                "tenant": request.tenant_id,
                "owner_identity": request.owner_identity_id,
                "owner_name": request.owner_identity_name,
                "persons": [voter.person_id for voter in voters],
                "identities": [voter.identity_id for voter in voters],
                "sessions": _sessions(voters),
            },
        )
        answers = []
        for voter, row in zip(voters, found["voters"], strict=True):
            reason = why_not(
                row["is_known"], row["is_active"], row["holds_own"], row["session_is_good"]
            )
            answers.append(
                Eligibility(
                    person_id=voter.person_id,
                    eligible=not reason,
                    reason=reason,
                    is_owner=row["is_owner"] and found["bears_name"] and not reason,
                    roles=() if reason else row["roles"],
                )
            )
        return answers

    async def approvers(self, caller: Caller, request: ListApproversRequest) -> list[ApproverList]:
        """The living people of each group, in the order asked."""
        found = []
        async with self._database.transaction(caller) as tx:
            for group in request.groups:
                if group.anybody:
                    rows = await tx.fetch(_EVERYBODY, tenant=request.tenant_id)
                else:
                    rows = await tx.fetch(
                        _LIST,
                        tenant=request.tenant_id,
                        owner_identity=request.owner_identity_id,
                        owner=group.owner,
                        roles=list(group.roles),
                        persons=list(group.person_ids),
                    )
                persons = [row["person_id"] for row in rows]
                names = await _names(tx, request.tenant_id, persons) if group.with_names else ()
                found.append(ApproverList(person_ids=persons, display_names=names))
        return found


async def _names(tx: Transaction, tenant: str, persons: Sequence[str]) -> list[str]:
    """What each of them is called."""
    rows = await tx.fetch(_NAMES, tenant=tenant, persons=list(persons))
    names = {row["person_id"]: row["display_name"] for row in rows}
    return [names.get(person, "") for person in persons]


def why_not(is_known: bool, is_active: bool, holds_own: bool, session_is_good: bool) -> str:
    """The first thing that is wrong, in the proto's words; empty for who may decide."""
    if not is_known:
        return "UNKNOWN_PERSON"
    if not is_active:
        return "DEACTIVATED"
    if not holds_own:
        return "NOT_THE_HOLDER"
    return "" if session_is_good else "SESSION_ENDED"


def _sessions(voters: Sequence[Voter]) -> list[str | None]:
    """None where the session is left out; nobody's where it is no session id at all."""
    return [
        (v.session_id if UUID.fullmatch(v.session_id) else _NOBODYS) if v.session_id else None
        for v in voters
    ]
