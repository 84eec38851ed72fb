"""Asks identity who may decide: at the vote, and again before any later permit."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import grpc
import structlog

from chenu.governance.v1.approval_pb2 import ApprovalRequirement, Approvers
from chenu.identity.v1.eligibility_service_pb2 import (
    ApproverGroup,
    ApproverList,
    CheckEligibilityRequest,
    ListApproversRequest,
    Voter,
)
from chenu.identity.v1.eligibility_service_pb2 import Eligibility as Said
from chenu.identity.v1.eligibility_service_pb2_grpc import EligibilityServiceStub
from chenu_gate.action import Target
from kernel.caller import UUID, Caller
from kernel.channels import alone
from kernel.errors import ServiceError
from services.governance.review.quorum import Ballot, Entitled, can_be_met, still_counts

_REMEMBERED_SECONDS: Final = 30.0
_REMEMBERED: Final = 10_000
_MOST_AT_ONCE: Final = 50
_log: Final = structlog.get_logger(component="eligibility")


class Seat(NamedTuple):
    """Somebody to ask about: a person under an identity, and the session where there is one."""

    person: str
    identity: str
    session: str = ""


class Eligibility:
    """Identity's word on voters. A vote and a permit always ask; nothing of it is remembered."""

    def __init__(self, stub: EligibilityServiceStub) -> None:
        self._stub = stub
        self._met: dict[tuple[str, str, bytes], float] = {}

    async def alive(
        self, tenant: str, owner: str, seats: Sequence[Seat]
    ) -> tuple[dict[str, Entitled], list[str]]:
        """Who lives, by person, and for each seat why it does not count (empty where it does)."""
        asked = list(dict.fromkeys(seats))
        answers: list[Said] = []
        for start in range(0, len(asked), _MOST_AT_ONCE):
            answers += await self._checked(tenant, owner, asked[start : start + _MOST_AT_ONCE])
        living: dict[str, Entitled] = {}
        refused: dict[Seat, str] = {}
        for seat, said in zip(asked, answers, strict=True):
            if said.eligible and said.person_id == seat.person:
                living.setdefault(
                    seat.person,
                    Entitled(
                        person=seat.person,
                        identity=seat.identity,
                        is_owner=said.is_owner,
                        roles=frozenset(said.roles),
                    ),
                )
            else:
                refused[seat] = said.reason or "UNKNOWN"
        for seat in refused:
            living.pop(seat.person, None)
        return living, [refused.get(seat, "") for seat in seats]

    async def _checked(
        self, tenant: str, owner: str, seats: Sequence[Seat], owner_name: str = ""
    ) -> list[Said]:
        voters = [
            Voter(person_id=seat.person, identity_id=seat.identity, session_id=seat.session)
            for seat in seats
        ]
        request = CheckEligibilityRequest(
            tenant_id=tenant,
            owner_identity_id=owner,
            owner_identity_name=owner_name,
            voters=voters,
        )
        with alone():
            answer = await self._stub.CheckEligibility(request)
        if len(answer.eligibilities) != len(voters):
            raise ServiceError("identity answered for other voters than were asked for")
        return list(answer.eligibilities)

    @staticmethod
    def void(
        requirement: ApprovalRequirement,
        approvers: Sequence[Mapping[str, Any]],
        alive: Mapping[str, Entitled],
        escalated: bool,
    ) -> frozenset[str]:
        """The persons whose approvals count no more."""
        return frozenset(
            one["person"]
            for one in approvers
            if not still_counts(
                requirement,
                Ballot(one["person"], one["seat"], one["stage"]),
                alive,
                escalated=escalated,
            )
        )

    async def living(
        self, tenant: str, owner: str, requirement: ApprovalRequirement
    ) -> list[list[str]]:
        """Who lives, for each stage, of those who could approve it sooner or later."""
        groups = [_group(stage.approvers, requirement.fallback) for stage in requirement.stages]
        return await self._living(tenant, owner, groups)

    async def name(self, caller: Caller, person: str) -> str | None:
        """What a living person of the caller's tenant is called; None where that is nobody.

        Persons choose their names, so no name is ever shown without the id.
        """
        group = ApproverGroup(person_ids=[person], with_names=True)
        (found,) = await self._approvers(caller.tenant, caller.identity, [group])
        if person not in found.person_ids:
            return None
        # An identity of the release before tells no names.
        return dict(zip(found.person_ids, found.display_names, strict=False)).get(person, "")

    async def _living(
        self, tenant: str, owner: str, groups: Sequence[ApproverGroup]
    ) -> list[list[str]]:
        return [list(one.person_ids) for one in await self._approvers(tenant, owner, groups)]

    async def _approvers(
        self, tenant: str, owner: str, groups: Sequence[ApproverGroup]
    ) -> Sequence[ApproverList]:
        request = ListApproversRequest(tenant_id=tenant, owner_identity_id=owner, groups=groups)
        with alone():
            answer = await self._stub.ListApprovers(request)
        if len(answer.groups) != len(groups):
            raise ServiceError("identity answered for other groups than were asked for")
        return answer.groups

    async def holds(self, caller: Caller, identity: Target) -> bool:
        """Whether it is of the caller's person, living and of this tenant, under that name."""
        if not UUID.fullmatch(identity.id) or "\0" in identity.name:
            return False
        seat = Seat(caller.person, caller.identity)
        (said,) = await self._checked(caller.tenant, identity.id, [seat], identity.name)
        return said.eligible and said.person_id == seat.person and said.is_owner

    async def keepers(self, caller: Caller, role: str) -> tuple[list[str], list[str]]:
        """The living people of the caller's tenant with that role, and all of them; 200 at most."""
        groups = [ApproverGroup(roles=[role]), ApproverGroup(anybody=True)]
        keepers, people = await self._living(caller.tenant, caller.identity, groups)
        return keepers, people

    async def can_be_met(
        self,
        caller: Caller,
        requirement: ApprovalRequirement,
        editors: frozenset[str] | set[str] = frozenset(),
    ) -> bool:
        """Whether enough people live who could approve what the caller asks for.

        Good enough to be remembered for a while, and to be assumed while identity is silent:
        it saves a pointless question, it entitles nobody.
        """
        excluded = {caller.person, *editors} if requirement.four_eyes else set()
        who = " ".join([caller.identity, caller.person, *sorted(excluded)])
        asked = (caller.tenant, who, requirement.SerializeToString(deterministic=True))
        if self._met.get(asked, 0.0) > time.monotonic():
            return True
        try:
            living = await self.living(caller.tenant, caller.identity, requirement)
        except grpc.aio.AioRpcError as error:
            _log.warning("eligibility not known", code=error.code().name)
            return True
        if not can_be_met(requirement, living, excluded):
            return False
        if len(self._met) >= _REMEMBERED:
            self._met.clear()
        self._met[asked] = time.monotonic() + _REMEMBERED_SECONDS
        return True


def _group(approvers: Approvers, fallback: Approvers) -> ApproverGroup:
    """Those who could approve sooner or later."""
    return ApproverGroup(
        owner=approvers.owner or fallback.owner,
        roles=sorted({*approvers.roles, *fallback.roles}),
        person_ids=sorted({*approvers.person_ids, *fallback.person_ids}),
    )
