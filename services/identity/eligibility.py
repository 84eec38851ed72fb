"""Who may decide for an identity: living people who hold it."""

from collections.abc import Sequence
from typing import Final

from chenu.identity.v1.eligibility_service_pb2 import (
    CheckEligibilityRequest,
    Eligibility,
    Voter,
)
from kernel.caller import UUID, Caller
from kernel.database import Database
from kernel.statement import Statement

_NOBODYS: Final = "00000000-0000-0000-0000-000000000000"
_CHECK: Final = Statement(
    "SELECT is_known, is_active, holds_both, session_is_good FROM check_voters("
    ":tenant, :owner_identity, :persons, :identities, :sessions) ORDER BY place"
)


class EligibilityChecks:
    """Asked by governance at each vote, and again before a permit."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def check(self, caller: Caller, request: CheckEligibilityRequest) -> list[Eligibility]:
        """An answer for each voter, in the order asked."""
        voters = request.voters
        async with self._database.transaction(caller) as tx:
            rows = await tx.fetch(
                _CHECK,
                tenant=request.tenant_id,
                owner_identity=request.owner_identity_id,
                persons=[voter.person_id for voter in voters],
                identities=[voter.identity_id for voter in voters],
                sessions=_sessions(voters),
            )
        reasons = (
            why_not(row["is_known"], row["is_active"], row["holds_both"], row["session_is_good"])
            for row in rows
        )
        return [
            Eligibility(person_id=voter.person_id, eligible=not reason, reason=reason)
            for voter, reason in zip(voters, reasons, strict=True)
        ]


def why_not(is_known: bool, is_active: bool, holds_both: bool, session_is_good: bool) -> str:
    """The first thing that is wrong, in the proto's words; empty for who may decide."""
    if not is_known:
        return "UNKNOWN_PERSON"
    if not is_active:
        return "DEACTIVATED"
    if not holds_both:
        return "NOT_THE_OWNER"
    return "" if session_is_good else "SESSION_ENDED"


def _sessions(voters: Sequence[Voter]) -> list[str | None]:
    """None where the session is left out; nobody's where it is no session id at all."""
    return [
        (v.session_id if UUID.fullmatch(v.session_id) else _NOBODYS) if v.session_id else None
        for v in voters
    ]
