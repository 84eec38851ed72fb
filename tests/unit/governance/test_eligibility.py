"""What governance asks identity, against a stub that answers for at most as many as it may."""

from typing import Any
from uuid import uuid4

from chenu.identity.v1.eligibility_service_pb2 import CheckEligibilityResponse
from chenu_gate.action import Target
from kernel.caller import Caller
from services.governance.review.eligibility import Eligibility, Seat

CALLER = Caller(str(uuid4()), str(uuid4()), str(uuid4()), "human")
TENANT, OWNER = str(uuid4()), str(uuid4())


class Identity:
    """Says that everybody lives, but for those who are `gone`."""

    def __init__(self, *gone: str) -> None:
        self.gone, self.asked = gone, 0

    async def CheckEligibility(self, request: Any) -> CheckEligibilityResponse:
        assert len(request.voters) <= 50
        self.asked += len(request.voters)
        answer = CheckEligibilityResponse()
        for voter in request.voters:
            reason = "DEACTIVATED" if voter.person_id in self.gone else ""
            answer.eligibilities.add(
                person_id=voter.person_id, eligible=not reason, reason=reason, roles=["finance"]
            )
        return answer


async def test_more_people_than_are_asked_about_at_once_all_count() -> None:
    seats = [Seat(str(uuid4()), OWNER) for _ in range(120)]
    identity: Any = Identity(seats[77].person)

    alive, refusals = await Eligibility(identity).alive(TENANT, OWNER, [*seats, *seats])

    assert identity.asked == 120
    assert alive.keys() == {seat.person for seat in seats} - {seats[77].person}
    assert refusals[77] == refusals[197] == "DEACTIVATED"
    assert refusals.count("") == 238


async def test_whoever_is_refused_under_one_identity_counts_under_none() -> None:
    person = str(uuid4())

    class Half(Identity):
        async def CheckEligibility(self, request: Any) -> CheckEligibilityResponse:
            answer = await super().CheckEligibility(request)
            answer.eligibilities[1].eligible = False
            answer.eligibilities[1].reason = "SESSION_ENDED"
            return answer

    identity: Any = Half()
    seats = [Seat(person, OWNER), Seat(person, OWNER, "ended")]
    alive, refusals = await Eligibility(identity).alive(TENANT, OWNER, seats)
    assert (alive, refusals) == ({}, ["", "SESSION_ENDED"])


async def test_an_identity_is_held_under_the_name_that_people_are_shown() -> None:
    class Named(Identity):
        async def CheckEligibility(self, request: Any) -> CheckEligibilityResponse:
            answer = await super().CheckEligibility(request)
            answer.eligibilities[0].is_owner = request.owner_identity_name in ("", "Shop")
            return answer

    named: Any = Named()
    asked = [
        Target("identity", OWNER, name=name) for name in ("Shop", "", "Bank", "Shop\0", "shop")
    ] + [Target("identity", "Shop")]

    held = [await Eligibility(named).holds(CALLER, target) for target in asked]

    assert held == [True, True, False, False, False, False]
