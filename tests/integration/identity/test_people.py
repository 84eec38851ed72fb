"""Several people in one tenant: invited, given roles, deactivated."""

import asyncio
from typing import Any
from uuid import uuid4

import grpc
import pytest

from chenu.identity.v1.auth_service_pb2 import LoginRequest
from chenu.identity.v1.eligibility_service_pb2 import ApproverGroup, ListApproversRequest
from chenu.identity.v1.people_service_pb2 import (
    DeactivatePersonRequest,
    InvitePersonRequest,
    InvitePersonResponse,
    ListPeopleRequest,
    SetPersonRolesRequest,
)
from tests.integration.identity.conftest import (
    PASSWORD,
    Identity,
    Someone,
    Start,
    events,
    later,
    refusal,
)
from tests.integration.identity.test_eligibility import reasons, voter

DENIED = grpc.StatusCode.PERMISSION_DENIED
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
FAILED = grpc.StatusCode.FAILED_PRECONDITION


async def invite(identity: Identity, owner: Someone, *roles: str) -> InvitePersonResponse:
    return await identity.people.InvitePerson(
        InvitePersonRequest(roles=roles, session_secret=owner.login.session_secret),
        metadata=owner.metadata,
    )


async def colleague(identity: Identity, owner: Someone, *roles: str, name: str = "Bea") -> Someone:
    invited = await invite(identity, owner, *roles)
    return await identity.register(invitation_secret=invited.invitation_secret, display_name=name)


async def set_roles(identity: Identity, by: Someone, whom: Someone, *roles: str) -> Any:
    return await identity.people.SetPersonRoles(
        SetPersonRolesRequest(
            person_id=whom.user, roles=roles, session_secret=by.login.session_secret
        ),
        metadata=by.metadata,
    )


async def deactivate(identity: Identity, by: Someone, whom: Someone) -> Any:
    return await identity.people.DeactivatePerson(
        DeactivatePersonRequest(person_id=whom.user, session_secret=by.login.session_secret),
        metadata=by.metadata,
    )


async def test_who_registers_with_an_invitation_joins_the_tenant_with_its_roles(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    bea = await colleague(identity, someone, "finance", "board")

    assert bea.tenant == someone.tenant
    assert bea.identity != someone.identity
    listed = await identity.people.ListPeople(ListPeopleRequest(), metadata=bea.metadata)
    assert [(p.person_id, p.display_name, list(p.roles)) for p in listed.people] == [
        (someone.user, "Ada", ["owner", "auditor"]),
        (bea.user, "Bea", ["board", "finance"]),
    ]
    (joined,) = [
        event
        for event in await events(admin, f"user/{bea.user}")
        if event["type"] == "chenu.identity.user.registered"
    ]
    assert joined["data"]["details"]["roles"] == "board,finance"


async def test_an_invitation_is_good_once_and_for_a_week(
    identity: Identity, someone: Someone, start: Start
) -> None:
    invited = await invite(identity, someone)
    secret = invited.invitation_secret
    async with start(**later(days=8)) as next_week:
        await refusal(
            next_week.register(invitation_secret=secret), UNAUTHENTICATED, "INVITATION_INVALID"
        )
    answers = await asyncio.gather(
        *(identity.register(invitation_secret=secret) for _ in range(3)), return_exceptions=True
    )
    assert sum(isinstance(answer, Someone) for answer in answers) == 1
    await refusal(
        identity.register(invitation_secret=secret), UNAUTHENTICATED, "INVITATION_INVALID"
    )
    await refusal(
        identity.register(invitation_secret="chenu_invitation_guess"),
        UNAUTHENTICATED,
        "INVITATION_INVALID",
    )


async def test_an_invitation_of_somebody_who_is_no_owner_any_more_is_void(
    identity: Identity, someone: Someone
) -> None:
    second = await colleague(identity, someone, "owner")
    invited = await invite(identity, second)
    await set_roles(identity, someone, second)
    await refusal(
        identity.register(invitation_secret=invited.invitation_secret),
        UNAUTHENTICATED,
        "INVITATION_INVALID",
    )


async def test_with_an_access_token_alone_nobody_invites_gives_roles_or_sends_others_away(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    bea, stranger = await colleague(identity, someone), await identity.register()
    for secret in (bea.login.session_secret, stranger.login.session_secret, "x" * 40):
        invite = InvitePersonRequest(roles=["owner"], session_secret=secret)
        give = SetPersonRolesRequest(person_id=bea.user, roles=["owner"], session_secret=secret)
        gone = DeactivatePersonRequest(person_id=bea.user, session_secret=secret)
        for call in (
            identity.people.InvitePerson(invite, metadata=someone.metadata),
            identity.people.DeactivatePerson(gone, metadata=someone.metadata),
            identity.people.SetPersonRoles(give, metadata=someone.metadata),
        ):
            await refusal(call, UNAUTHENTICATED, "SESSION_INVALID")
    listed = await identity.people.ListPeople(ListPeopleRequest(), metadata=someone.metadata)
    assert [list(one.roles) for one in listed.people] == [["owner", "auditor"], []]
    assert not any(one.HasField("deactivate_time") for one in listed.people)


async def test_the_same_request_id_makes_one_invitation_and_shows_its_secret_once(
    identity: Identity, someone: Someone
) -> None:
    request = InvitePersonRequest(
        roles=["finance"],
        request_id=str(uuid4()),
        session_secret=someone.login.session_secret,
    )
    first = await identity.people.InvitePerson(request, metadata=someone.metadata)
    again = await identity.people.InvitePerson(request, metadata=someone.metadata)
    assert again.invitation_id == first.invitation_id
    assert first.invitation_secret
    assert not again.invitation_secret


async def test_only_an_owner_invites_gives_roles_and_deactivates(
    identity: Identity, someone: Someone
) -> None:
    bea = await colleague(identity, someone, "finance")
    await refusal(invite(identity, bea, "owner"), DENIED, "NOT_AN_OWNER")
    await refusal(set_roles(identity, bea, bea, "owner"), DENIED, "NOT_AN_OWNER")
    await refusal(deactivate(identity, bea, someone), DENIED, "NOT_AN_OWNER")


async def test_people_of_another_tenant_are_nobody_here(
    identity: Identity, someone: Someone
) -> None:
    stranger = await identity.register()
    for call in (set_roles(identity, stranger, someone), deactivate(identity, stranger, someone)):
        await refusal(call, DENIED, "FORBIDDEN")
    listed = await identity.people.ListPeople(ListPeopleRequest(), metadata=stranger.metadata)
    assert [person.person_id for person in listed.people] == [stranger.user]


async def test_a_role_counts_at_once_and_no_longer_than_it_is_held(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    bea = await colleague(identity, someone)
    for roles in (("finance",), ()):
        answer = await set_roles(identity, someone, bea, *roles)
        assert tuple(answer.person.roles) == roles
        found = await approvers(identity, someone, ApproverGroup(roles=["finance"]))
        assert found == [[bea.user] if roles else []]
    told = [event["data"]["details"]["roles"] for event in await events(admin, f"user/{bea.user}")
            if event["type"] == "chenu.identity.roles.set"]  # fmt: skip
    assert told[0] == "finance"


async def test_a_deactivated_person_comes_in_no_more_and_counts_for_nothing(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    bea = await colleague(identity, someone, "finance")

    for _ in range(2):
        answer = await deactivate(identity, someone, bea)
        assert answer.person.HasField("deactivate_time")

    await refusal(
        identity.auth.Login(LoginRequest(email=bea.email, password=PASSWORD)),
        UNAUTHENTICATED,
        "WRONG_CREDENTIALS",
    )
    await refusal(invite(identity, bea), UNAUTHENTICATED, "SESSION_INVALID")
    assert await reasons(identity, someone, voter(bea)) == ["DEACTIVATED"]
    group = ApproverGroup(roles=["finance"], person_ids=[bea.user])
    assert await approvers(identity, someone, group) == [[]]
    deactivations = [
        event
        for event in await events(admin, f"user/{bea.user}")
        if event["type"] == "chenu.identity.person.deactivated"
    ]
    assert len(deactivations) == 1


async def test_a_tenant_always_keeps_an_owner(identity: Identity, someone: Someone) -> None:
    bea = await colleague(identity, someone)
    await refusal(set_roles(identity, someone, someone, "auditor"), FAILED, "LAST_OWNER")
    await refusal(deactivate(identity, someone, someone), FAILED, "LAST_OWNER")

    # Two owners who depose each other at once: one of them stays.
    await set_roles(identity, someone, bea, "owner")
    answers = await asyncio.gather(
        set_roles(identity, someone, bea),
        set_roles(identity, bea, someone),
        return_exceptions=True,
    )
    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1


async def test_the_groups_of_a_requirement_are_living_people_of_the_tenant(
    identity: Identity, someone: Someone
) -> None:
    bea = await colleague(identity, someone, "finance", "board")
    cem = await colleague(identity, someone, "board", name="Cem")
    stranger = await identity.register()
    found = await approvers(
        identity,
        someone,
        ApproverGroup(owner=True),
        ApproverGroup(roles=["board"]),
        ApproverGroup(roles=["finance"], person_ids=[cem.user, stranger.user]),
        ApproverGroup(),
        ApproverGroup(anybody=True),
    )
    both = sorted([bea.user, cem.user])
    assert found == [[someone.user], both, both, [], sorted([someone.user, *both])]


async def test_governance_is_told_what_people_of_the_tenant_are_called_where_it_asks(
    identity: Identity, someone: Someone
) -> None:
    cem = await colleague(identity, someone, name="Cem")
    stranger = await identity.register()
    persons = [cem.user, stranger.user]
    request = ListApproversRequest(
        tenant_id=someone.tenant,
        owner_identity_id=someone.identity,
        groups=[
            ApproverGroup(person_ids=persons, with_names=True),
            ApproverGroup(person_ids=persons),
        ],
    )
    governance = await identity.as_service("governance")
    named, unnamed = (await identity.eligibility.ListApprovers(request, metadata=governance)).groups
    assert (list(named.person_ids), list(named.display_names)) == ([cem.user], ["Cem"])
    assert (list(unnamed.person_ids), list(unnamed.display_names)) == ([cem.user], [])


async def approvers(identity: Identity, owner: Someone, *groups: ApproverGroup) -> list[list[str]]:
    answer = await identity.eligibility.ListApprovers(
        ListApproversRequest(
            tenant_id=owner.tenant, owner_identity_id=owner.identity, groups=groups
        ),
        metadata=await identity.as_service("governance"),
    )
    return [list(group.person_ids) for group in answer.groups]


async def test_the_database_itself_lets_nobody_but_an_owner_invite(
    identity: Identity, someone: Someone, urls: Any
) -> None:
    import asyncpg

    bea = await colleague(identity, someone)
    connection = await asyncpg.connect(urls.app)
    try:
        for name, value in (
            ("tenant", bea.tenant),
            ("person", bea.user),
            ("identity", bea.identity),
        ):
            await connection.execute("SELECT set_config($1, $2, false)", f"chenu.{name}", value)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(
                "INSERT INTO identity.invitations (invitation_id, tenant_id, inviter_id, roles,"
                " secret_hash, expire_time) VALUES ($1, $2, $3, '{owner}', 'x', now())",
                str(uuid4()), bea.tenant, bea.user,
            )  # fmt: skip
    finally:
        await connection.close()
