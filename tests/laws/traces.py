"""Somebody who uses every service, and leaves the same word wherever a person can leave words."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from google.protobuf.struct_pb2 import Struct

from chenu.courier.v1.channel_service_pb2 import CreateChannelRequest
from chenu.courier.v1.channel_service_pb2_grpc import ChannelServiceStub
from chenu.courier.v1.delivery_service_pb2 import ListDeliveriesRequest, ReconcileDeliveryRequest
from chenu.courier.v1.endpoint_service_pb2 import CreateEndpointRequest
from chenu.governance.v1.checkpoint_service_pb2 import RejectCheckpointRequest
from chenu.governance.v1.freeze_pb2 import FreezeScope
from chenu.governance.v1.freeze_service_pb2 import FreezeRequest
from chenu.governance.v1.freeze_service_pb2_grpc import FreezeServiceStub
from chenu.governance.v1.grant_pb2 import ArgumentConstraint, GrantTerms
from chenu.governance.v1.grant_service_pb2 import CreateGrantRequest, ListGrantsRequest
from chenu.governance.v1.grant_service_pb2_grpc import GrantServiceStub
from chenu.governance.v1.review_service_pb2 import CommentCheckpointRequest, EditCheckpointRequest
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from chenu.identity.v1.agent_service_pb2 import FireAgentRequest, HireAgentRequest
from chenu.identity.v1.agent_service_pb2_grpc import AgentServiceStub
from chenu.identity.v1.identity_pb2 import IdentityType
from chenu.identity.v1.identity_service_pb2 import CreateIdentityRequest
from chenu.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from chenu.threads.v1.message_service_pb2 import CreateMessageRequest
from chenu.threads.v1.message_service_pb2_grpc import MessageServiceStub
from chenu.threads.v1.thread_event_pb2 import ThreadEventType
from chenu.threads.v1.thread_event_service_pb2 import AppendThreadEventRequest
from chenu.threads.v1.thread_event_service_pb2_grpc import ThreadEventServiceStub
from chenu.threads.v1.thread_service_pb2 import CreateThreadRequest
from chenu_gate.action import Target
from tests.laws.hands import Hands, use
from tests.laws.stories import blocked, reason
from tests.support.fleet import Client
from tests.support.receiver import Receiver
from tests.support.waiting import soon

# Every table that then holds the word in plain text.
TRACES: Final = {
    *("identity.user_profiles", "identity.identities", "identity.agents"),
    *("threads.threads", "threads.messages", "threads.event_payloads", "threads.search_answers"),
    *("governance.actions", "governance.views", "governance.comments", "governance.remarks"),
    *("governance.edited_views", "governance.freezes", "governance.grants"),
    *("nova.run_contents", "courier.channels", "courier.notifications"),
    *("courier.endpoints", "courier.deliveries"),
}


async def leave(me: Client, hands: Hands, word: str) -> str:
    """All of it; the id of the run that waits for a person."""
    await _named(me, word)
    await _wrote(me, hands, word)
    await _governed(me, hands, word)
    await _sent(me, hands, word)
    return (await blocked(me, f"Delete the thread “{word}”")).run_id


async def _named(me: Client, word: str) -> None:
    identity = me.fleet.channel("identity")
    await IdentityServiceStub(identity).CreateIdentity(
        CreateIdentityRequest(type=IdentityType.IDENTITY_TYPE_CREATIVE, display_name=word),
        metadata=me.me,
    )
    agents = AgentServiceStub(identity)
    for _ in range(2):
        hired = await agents.HireAgent(
            HireAgentRequest(display_name=word, session_secret=me.session.session_secret),
            metadata=me.me,
        )
    await agents.FireAgent(FireAgentRequest(agent_id=hired.agent.agent_id), metadata=me.me)


async def _wrote(me: Client, hands: Hands, word: str) -> None:
    thread = CreateThreadRequest(title=word, founding_intent=word, description=word, tags=[word])
    thread_id = (await me.threads.CreateThread(thread, metadata=me.me)).thread.thread_id
    threads = me.fleet.channel("threads")
    await MessageServiceStub(threads).CreateMessage(
        CreateMessageRequest(thread_id=thread_id, content=word), metadata=me.me
    )
    payload = Struct()
    payload.update({"note": word})
    kind = ThreadEventType.THREAD_EVENT_TYPE_NOTE_ADDED
    await ThreadEventServiceStub(threads).AppendThreadEvent(
        AppendThreadEventRequest(thread_id=thread_id, type=kind, payload=payload), metadata=me.me
    )
    search = use(me, "thread.search", query=word)
    await hands.execute(me, search, (await hands.ask(me, search)).permit)


async def _governed(me: Client, hands: Hands, word: str) -> None:
    """A question remarked on, edited and rejected with words; a freeze; a grant."""
    governance = me.fleet.channel("governance")
    search = use(me, "thread.search", query=f"not {word}")
    at = (await hands.ask(me, search, requires_checkpoint=True)).checkpoint
    reviews = ReviewServiceStub(governance)
    await reviews.CommentCheckpoint(
        CommentCheckpointRequest(checkpoint_id=at.checkpoint_id, text=word), metadata=me.me
    )
    edit = EditCheckpointRequest(
        checkpoint_id=at.checkpoint_id, etag=at.view_digest, arguments=f'{{"query": "{word}"}}'
    )
    await reviews.EditCheckpoint(edit, metadata=me.me)
    etag = (await me.checkpoint(at.checkpoint_id)).etag
    await me.checkpoints.RejectCheckpoint(
        RejectCheckpointRequest(checkpoint_id=at.checkpoint_id, etag=etag, comment=word),
        metadata=await me.vote_token(at.checkpoint_id, etag),
    )
    await FreezeServiceStub(governance).Freeze(
        FreezeRequest(
            scope=FreezeScope.FREEZE_SCOPE_TOOL, value=f"tool.{uuid4().hex}", reason=word
        ),
        metadata=me.me,
    )
    await _granted(me, word)


async def _granted(me: Client, word: str) -> None:
    terms = GrantTerms(
        tool="report.create",
        action_kind="ACTION_KIND_CREATE",
        uses=3,
        constraints=[ArgumentConstraint(argument="title", values=[word])],
    )
    terms.end_time.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    grants = GrantServiceStub(me.fleet.channel("governance"))
    asked = await grants.CreateGrant(
        CreateGrantRequest(terms=terms, request_id=str(uuid4())), metadata=me.me
    )
    await me.approve(asked.verdict.checkpoint.checkpoint_id)

    async def made() -> Any:
        return (await grants.ListGrants(ListGrantsRequest(), metadata=me.me)).grants

    await soon(made, "it is granted")


async def _sent(me: Client, hands: Hands, word: str) -> None:
    """A channel that hears of checkpoints; a delivery whose end somebody had to look up."""
    async with Receiver() as outside:
        channel = CreateChannelRequest(name=word, webhook_url=outside.url("/status/200"))
        channels = ChannelServiceStub(me.fleet.channel("courier"))
        await channels.CreateChannel(channel, metadata=me.me)
        endpoint = CreateEndpointRequest(name=word, url=outside.url("/abort"))
        made = (await me.endpoints.CreateEndpoint(endpoint, metadata=me.me)).endpoint
        action = use(
            me,
            "webhook.send",
            Target("endpoint", made.endpoint_id, made.etag),
            endpoint=made.endpoint_id,
            payload={"text": word},
        )
        request_id = str(uuid4())
        gated = await hands.ask(me, action, request_id)
        await me.approve(gated.checkpoint.checkpoint_id, comment=word)
        permit = (await hands.ask(me, action, request_id)).permit
        assert (await reason(hands.execute(me, action, permit)))[1] == "OUTCOME_UNKNOWN"
    listed = await me.deliveries.ListDeliveries(ListDeliveriesRequest(), metadata=me.me)
    reconcile = ReconcileDeliveryRequest(
        delivery_id=listed.deliveries[0].delivery_id, state="DELIVERY_STATE_SUCCEEDED", comment=word
    )
    await me.deliveries.ReconcileDelivery(reconcile, metadata=me.me)
