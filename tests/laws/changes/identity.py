"""Changes at identity: people, sessions, agents, and every token that is handed out."""

from typing import Any
from uuid import uuid4

from google.protobuf.field_mask_pb2 import FieldMask

from chenu.identity.v1 import agent_service_pb2 as agents
from chenu.identity.v1 import auth_service_pb2 as auth
from chenu.identity.v1 import channel_grant_service_pb2 as grants
from chenu.identity.v1 import identity_service_pb2 as identities
from chenu.identity.v1 import people_service_pb2 as people
from chenu.identity.v1 import token_service_pb2 as tokens
from chenu.identity.v1.agent_pb2 import Agent
from chenu.identity.v1.agent_service_pb2_grpc import AgentServiceStub
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from chenu.identity.v1.channel_grant_pb2 import ChannelMethod
from chenu.identity.v1.channel_grant_service_pb2_grpc import ChannelGrantServiceStub
from chenu.identity.v1.identity_pb2 import IdentityType
from chenu.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from chenu.identity.v1.people_service_pb2_grpc import PeopleServiceStub
from tests.laws.changes.scene import Call, Scene
from tests.laws.hands import ANY_DIGEST
from tests.support.fleet import PASSWORD
from tests.support.identity import bearer

MAIL = ChannelMethod.CHANNEL_METHOD_MAIL


def stub(s: Scene, kind: Any) -> Any:
    return s.stub(kind, "identity")


async def register(s: Scene) -> Call:
    request = auth.RegisterRequest(
        email=f"{uuid4()}@chenu.example", password=PASSWORD, display_name="New"
    )
    return lambda: stub(s, AuthServiceStub).Register(request)


async def login(s: Scene) -> Call:
    profile = await stub(s, AuthServiceStub).GetMe(auth.GetMeRequest(), metadata=s.me.me)
    request = auth.LoginRequest(email=profile.user.email, password=PASSWORD)
    return lambda: stub(s, AuthServiceStub).Login(request)


async def refresh_session(s: Scene) -> Call:
    token = s.me.session.session.refresh_token
    request = auth.RefreshSessionRequest(refresh_token=token)
    return lambda: stub(s, AuthServiceStub).RefreshSession(request)


async def logout(s: Scene) -> Call:
    return lambda: stub(s, AuthServiceStub).Logout(auth.LogoutRequest(), metadata=s.me.me)


async def switch_identity(s: Scene) -> Call:
    made = await (await create_identity(s))()
    request = auth.SwitchIdentityRequest(identity_id=made.identity.identity_id)
    return lambda: stub(s, AuthServiceStub).SwitchIdentity(request, metadata=s.me.me)


async def change_password(s: Scene) -> Call:
    request = auth.ChangePasswordRequest(current_password=PASSWORD, new_password="another-1-long")
    return lambda: stub(s, AuthServiceStub).ChangePassword(request, metadata=s.me.me)


async def create_identity(s: Scene) -> Call:
    request = identities.CreateIdentityRequest(
        type=IdentityType.IDENTITY_TYPE_ENTERPRISE, display_name="Shop"
    )
    return lambda: stub(s, IdentityServiceStub).CreateIdentity(request, metadata=s.me.me)


async def hire_agent(s: Scene) -> Call:
    request = agents.HireAgentRequest(
        display_name="Helper", session_secret=s.me.session.session_secret
    )
    return lambda: stub(s, AgentServiceStub).HireAgent(request, metadata=s.me.me)


async def update_agent(s: Scene) -> Call:
    hired = await (await hire_agent(s))()
    request = agents.UpdateAgentRequest(
        agent_id=hired.agent.agent_id, etag=hired.agent.etag,
        agent=Agent(always_gated=True), update_mask=FieldMask(paths=["always_gated"]),
    )  # fmt: skip
    return lambda: stub(s, AgentServiceStub).UpdateAgent(request, metadata=s.me.me)


async def fire_agent(s: Scene) -> Call:
    hired = await (await hire_agent(s))()
    request = agents.FireAgentRequest(agent_id=hired.agent.agent_id)
    return lambda: stub(s, AgentServiceStub).FireAgent(request, metadata=s.me.me)


async def invite_person(s: Scene) -> Call:
    request = people.InvitePersonRequest(
        roles=["finance"], session_secret=s.me.session.session_secret
    )
    return lambda: stub(s, PeopleServiceStub).InvitePerson(request, metadata=s.me.me)


async def colleague(s: Scene) -> str:
    invited = await (await invite_person(s))()
    joined = await stub(s, AuthServiceStub).Register(
        auth.RegisterRequest(
            email=f"{uuid4()}@chenu.example",
            password=PASSWORD,
            display_name="Bea",
            invitation_secret=invited.invitation_secret,
        )
    )
    return str(joined.session.user.user_id)


async def set_person_roles(s: Scene) -> Call:
    request = people.SetPersonRolesRequest(
        person_id=await colleague(s),
        roles=["board"],
        session_secret=s.me.session.session_secret,
    )
    return lambda: stub(s, PeopleServiceStub).SetPersonRoles(request, metadata=s.me.me)


async def deactivate_person(s: Scene) -> Call:
    request = people.DeactivatePersonRequest(
        person_id=await colleague(s), session_secret=s.me.session.session_secret
    )
    return lambda: stub(s, PeopleServiceStub).DeactivatePerson(request, metadata=s.me.me)


async def issue_agent_token(s: Scene) -> Call:
    hired = await (await hire_agent(s))()
    request = tokens.IssueAgentTokenRequest(agent_id=hired.agent.agent_id, secret=hired.secret)
    return lambda: s.hands.tokens.IssueAgentToken(request)


async def issue_vote_token(s: Scene) -> Call:
    request = tokens.IssueVoteTokenRequest(
        session_secret=s.me.session.session_secret,
        checkpoint_id=str(uuid4()),
        view_digest=ANY_DIGEST,
    )
    return lambda: s.hands.tokens.IssueVoteToken(request)


async def issue_ticket(s: Scene) -> Call:
    request = tokens.IssueStreamTicketRequest(path="/api/v2/checkpoints/watch")
    return lambda: s.hands.tokens.IssueStreamTicket(request, metadata=s.me.me)


async def redeem_ticket(s: Scene) -> Call:
    issued = await (await issue_ticket(s))()
    request = tokens.RedeemStreamTicketRequest(
        ticket=issued.ticket, path="/api/v2/checkpoints/watch"
    )
    gateway = bearer("", await s.hands.service("gateway"))
    return lambda: s.hands.tokens.RedeemStreamTicket(request, metadata=gateway)


async def exchange_delegation(s: Scene) -> Call:
    request = tokens.ExchangeDelegationRequest()
    return lambda: s.hands.tokens.ExchangeDelegation(request, metadata=s.me.me)


async def renew_delegation(s: Scene) -> Call:
    request = tokens.RenewDelegationRequest(delegation_token=await s.hands.delegation(s.me))
    metadata = bearer("", await s.hands.service("nova"))
    return lambda: s.hands.tokens.RenewDelegation(request, metadata=metadata)


async def issue_channel_grant(s: Scene) -> Call:
    request = grants.IssueChannelGrantRequest(
        session_secret=s.me.session.session_secret, channel_id=str(uuid4()), method=MAIL
    )
    return lambda: stub(s, ChannelGrantServiceStub).IssueChannelGrant(request)


async def revoke_channel_grant(s: Scene) -> Call:
    made = await (await issue_channel_grant(s))()
    request = grants.RevokeChannelGrantRequest(channel_id=made.grant.channel_id)
    return lambda: stub(s, ChannelGrantServiceStub).RevokeChannelGrant(request, metadata=s.me.me)


async def issue_ballot(s: Scene) -> Call:
    given = (await (await issue_channel_grant(s))()).channel_grant
    request = grants.IssueBallotRequest(
        channel_grant=given, checkpoint_id=str(uuid4()), view_digest=ANY_DIGEST
    )
    metadata = bearer("", await s.hands.service("courier"))
    return lambda: stub(s, ChannelGrantServiceStub).IssueBallot(request, metadata=metadata)


async def redeem_ballot(s: Scene) -> Call:
    request = grants.RedeemBallotRequest(ballot=(await (await issue_ballot(s))()).ballot)
    metadata = bearer("", await s.hands.service("gateway"))
    return lambda: stub(s, ChannelGrantServiceStub).RedeemBallot(request, metadata=metadata)
