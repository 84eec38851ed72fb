"""Who may decide, as governance asks it."""

from typing import Any
from uuid import uuid4

import grpc
import jwt

from chenu.identity.v1.agent_service_pb2 import HireAgentRequest
from chenu.identity.v1.auth_service_pb2 import LogoutRequest
from chenu.identity.v1.eligibility_service_pb2 import CheckEligibilityRequest, Voter
from chenu.identity.v1.identity_pb2 import IdentityType
from chenu.identity.v1.identity_service_pb2 import CreateIdentityRequest
from chenu.identity.v1.people_service_pb2 import InvitePersonRequest
from tests.integration.identity.conftest import Identity, Someone, refusal


def voter(person: Someone, **changes: str) -> Voter:
    sid = jwt.decode(person.token, options={"verify_signature": False})["sid"]
    own = {"person_id": person.user, "identity_id": person.identity, "session_id": sid}
    return Voter(**(own | changes))


async def reasons(
    identity: Identity, owner: Someone, *voters: Voter, tenant: str = ""
) -> list[str]:
    answer = await identity.eligibility.CheckEligibility(
        CheckEligibilityRequest(
            tenant_id=tenant or owner.tenant, owner_identity_id=owner.identity, voters=voters
        ),
        metadata=await identity.as_service("governance"),
    )
    assert [e.person_id for e in answer.eligibilities] == [v.person_id for v in voters]
    assert all(e.eligible == (not e.reason) for e in answer.eligibilities)
    return [e.reason for e in answer.eligibilities]


async def test_the_owner_of_the_identity_may_decide_with_and_without_a_session(
    identity: Identity, someone: Someone
) -> None:
    assert await reasons(identity, someone, voter(someone), voter(someone, session_id="")) == [
        "",
        "",
    ]


async def test_the_owner_may_vote_under_another_of_their_identities(
    identity: Identity, someone: Someone
) -> None:
    created = await identity.identities.CreateIdentity(
        CreateIdentityRequest(type=IdentityType.IDENTITY_TYPE_DESIGN, display_name="Atelier"),
        metadata=someone.metadata,
    )
    other = created.identity.identity_id
    assert await reasons(identity, someone, voter(someone, identity_id=other)) == [""]


async def test_each_reason_is_told_in_the_order_asked(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    stranger, left = await identity.register(), await identity.register()
    await identity.auth.Logout(LogoutRequest(), metadata=left.metadata)
    sid = voter(left).session_id
    assert await reasons(
        identity,
        someone,
        voter(someone, person_id=str(uuid4())),
        voter(someone, session_id=sid),
        voter(someone, session_id="nonsense"),
        voter(someone, session_id=str(uuid4())),
        voter(someone, identity_id=stranger.identity),
        voter(someone),
        voter(stranger),
    ) == [
        "UNKNOWN_PERSON",
        "SESSION_ENDED",
        "SESSION_ENDED",
        "SESSION_ENDED",
        "NOT_THE_HOLDER",
        "",
        "UNKNOWN_PERSON",
    ]


async def test_a_person_of_the_tenant_is_told_apart_from_the_owner_and_has_their_roles(
    identity: Identity, someone: Someone
) -> None:
    invited = await identity.people.InvitePerson(
        InvitePersonRequest(roles=["finance"], session_secret=someone.login.session_secret),
        metadata=someone.metadata,
    )
    colleague = await identity.register(invitation_secret=invited.invitation_secret)

    answer = await identity.eligibility.CheckEligibility(
        CheckEligibilityRequest(
            tenant_id=someone.tenant,
            owner_identity_id=someone.identity,
            voters=[voter(colleague), voter(someone), voter(colleague, session_id=str(uuid4()))],
        ),
        metadata=await identity.as_service("governance"),
    )

    assert [(e.eligible, e.is_owner, list(e.roles)) for e in answer.eligibilities] == [
        (True, False, ["finance"]),
        (True, True, ["owner", "auditor"]),
        (False, False, []),
    ]


async def test_nobody_holds_an_identity_under_a_name_that_it_does_not_bear(
    identity: Identity, someone: Someone
) -> None:
    async def held(name: str, tenant: str = "") -> tuple[bool, bool]:
        answer = await identity.eligibility.CheckEligibility(
            CheckEligibilityRequest(
                tenant_id=tenant or someone.tenant,
                owner_identity_id=someone.identity,
                owner_identity_name=name,
                voters=[voter(someone)],
            ),
            metadata=await identity.as_service("governance"),
        )
        (said,) = answer.eligibilities
        return said.eligible, said.is_owner

    assert [await held(name) for name in ("Ada", "", "ada", "Ada ", "Zoe")] == [
        (True, True),
        (True, True),
        (True, False),
        (True, False),
        (True, False),
    ]


async def test_a_deactivated_person_may_not(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    await admin.execute(
        "UPDATE identity.users SET deactivate_time = now() WHERE user_id = $1", someone.user
    )
    assert await reasons(identity, someone, voter(someone)) == ["DEACTIVATED"]


async def test_an_ended_session_does_not_vote(identity: Identity, someone: Someone) -> None:
    await identity.auth.Logout(LogoutRequest(), metadata=someone.metadata)
    assert await reasons(identity, someone, voter(someone)) == ["SESSION_ENDED"]


async def test_an_agent_is_nobody_who_could_vote(identity: Identity, someone: Someone) -> None:
    hired = await identity.agents.HireAgent(
        HireAgentRequest(display_name="Scout", session_secret=someone.login.session_secret),
        metadata=someone.metadata,
    )
    agent = voter(someone, person_id=hired.agent.agent_id)
    assert await reasons(identity, someone, agent) == ["UNKNOWN_PERSON"]


async def test_only_governance_asks(identity: Identity, someone: Someone) -> None:
    request = CheckEligibilityRequest(
        tenant_id=someone.tenant, owner_identity_id=someone.identity, voters=[voter(someone)]
    )
    for metadata in (await identity.as_service("nova"), someone.metadata):
        await refusal(
            identity.eligibility.CheckEligibility(request, metadata=metadata),
            grpc.StatusCode.PERMISSION_DENIED,
            "CALLER_NOT_ALLOWED",
        )
