"""Every action that the log knows is there after one day of one person's."""

from typing import Any
from uuid import uuid4

from chenu.courier.v1.endpoint_service_pb2 import CreateEndpointRequest, DeleteEndpointRequest
from chenu.events.v1.audit_event_pb2 import AuditAction
from chenu.identity.v1.agent_service_pb2 import FireAgentRequest, HireAgentRequest
from chenu.identity.v1.agent_service_pb2_grpc import AgentServiceStub
from chenu.identity.v1.auth_service_pb2 import LogoutRequest
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from chenu.identity.v1.people_service_pb2 import ListPeopleRequest
from chenu.identity.v1.people_service_pb2_grpc import PeopleServiceStub
from chenu.identity.v1.token_service_pb2 import ExchangeDelegationRequest, IssueAgentTokenRequest
from chenu.nova.v1.run_service_pb2 import ExecuteRunRequest
from chenu.threads.v1.thread_service_pb2 import ArchiveThreadRequest, GetThreadRequest
from chenu_gate.action import Action, Target
from tests.laws import log
from tests.laws.hands import Hands, use
from tests.laws.stories import reason
from tests.support.fleet import Client, Fleet
from tests.support.identity import bearer
from tests.support.receiver import Receiver
from tests.support.waiting import soon


async def an_agents_task(me: Client, hands: Hands) -> None:
    """Hired, at work, and fired."""
    agents = AgentServiceStub(me.fleet.channel("identity"))
    hired = await agents.HireAgent(
        HireAgentRequest(display_name="Helper", session_secret=me.session.session_secret),
        metadata=me.me,
    )
    own = {"agent_id": hired.agent.agent_id}
    token = await hands.tokens.IssueAgentToken(IssueAgentTokenRequest(secret=hired.secret, **own))
    delegation = await hands.tokens.ExchangeDelegation(
        ExchangeDelegationRequest(), metadata=bearer(token.access_token)
    )
    await me.runs.ExecuteRun(
        ExecuteRunRequest(text="What is a thread?"), metadata=bearer(delegation.delegation_token)
    )
    await agents.FireAgent(FireAgentRequest(**own), metadata=me.me)


async def approved(me: Client, hands: Hands, action: Action) -> None:
    """Asked for, approved by the person, and done."""
    request_id = str(uuid4())
    asked = await hands.ask(me, action, request_id)
    await me.approve(asked.checkpoint.checkpoint_id)
    await hands.execute(me, action, (await hands.ask(me, action, request_id)).permit)


async def across_spheres(me: Client, hands: Hands) -> str:
    """A search in another sphere, and a thread that moves there."""
    await approved(me, hands, use(me, "thread.search", query="x", sphere="business"))
    thread_id = await me.new_thread("Moves")
    thread = (
        await me.threads.GetThread(GetThreadRequest(thread_id=thread_id), metadata=me.me)
    ).thread
    target = Target("thread", thread_id, thread.etag, "Moves")
    await approved(
        me, hands, use(me, "thread.transfer", target, thread=thread_id, sphere="business")
    )
    return thread_id


async def a_rejection(me: Client, hands: Hands) -> None:
    search = use(me, "thread.search", query=str(uuid4()))
    asked = await hands.ask(me, search, requires_checkpoint=True)
    await me.reject(asked.checkpoint.checkpoint_id)


async def something_deleted(me: Client) -> None:
    async with Receiver() as outside:
        endpoint = CreateEndpointRequest(name="Mine", url=outside.url("/status/200"))
        made = await me.endpoints.CreateEndpoint(endpoint, metadata=me.me)
    delete = DeleteEndpointRequest(endpoint_id=made.endpoint.endpoint_id)
    await me.endpoints.DeleteEndpoint(delete, metadata=me.me)


async def test_every_audit_action_is_left_by_a_real_call(
    fleet: Fleet, hands: Hands, superuser: Any, stranger: Client
) -> None:
    me = await fleet.register()
    await an_agents_task(me, hands)
    thread_id = await across_spheres(me, hands)
    await a_rejection(me, hands)
    archive = ArchiveThreadRequest(thread_id=thread_id)
    await me.threads.ArchiveThread(archive, metadata=me.me)
    await something_deleted(me)
    identity = fleet.channel("identity")
    await PeopleServiceStub(identity).ListPeople(ListPeopleRequest(), metadata=me.me)
    theirs = await stranger.new_thread("Theirs")
    for who, what in ((me, theirs), (stranger, thread_id)):
        read = GetThreadRequest(thread_id=what)
        refused = await reason(who.threads.GetThread(read, metadata=who.me))
        assert refused == ("PERMISSION_DENIED", "FORBIDDEN")
    await AuthServiceStub(identity).Logout(LogoutRequest(), metadata=me.me)
    tenant = me.session.session.user.tenant_id

    async def found() -> set[str]:
        rows = await superuser.fetch(
            "SELECT DISTINCT action FROM audit.entries WHERE tenant = $1", tenant
        )
        return {AuditAction.Name(row["action"]) for row in rows}

    async def violation() -> bool:
        return "AUDIT_ACTION_IDENTITY_VIOLATION" in await found()

    await log.all_logged(superuser)
    await soon(violation, "what the stranger reached for is known as mine")
    assert set(AuditAction.keys()[1:]) <= await found()
