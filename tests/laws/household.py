"""Somebody with something of every kind, so that others can reach for it."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import grpc

from chenu.audit.v1.retention_service_pb2 import EraseSubjectRequest, PlaceHoldRequest
from chenu.audit.v1.retention_service_pb2_grpc import RetentionServiceStub
from chenu.courier.v1.channel_pb2 import NotificationState
from chenu.courier.v1.channel_service_pb2 import CreateChannelRequest, ListNotificationsRequest
from chenu.courier.v1.channel_service_pb2_grpc import ChannelServiceStub
from chenu.courier.v1.delivery_service_pb2 import ListDeliveriesRequest
from chenu.courier.v1.endpoint_service_pb2 import CreateEndpointRequest
from chenu.courier.v1.interaction_service_pb2_grpc import InteractionServiceStub
from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint
from chenu.governance.v1.freeze_pb2 import FreezeScope
from chenu.governance.v1.freeze_service_pb2 import FreezeRequest
from chenu.governance.v1.freeze_service_pb2_grpc import FreezeServiceStub
from chenu.governance.v1.review_service_pb2 import CommentCheckpointRequest, EditCheckpointRequest
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from chenu.governance.v1.rule_pb2 import Counter, Rule, RuleDocument
from chenu.governance.v1.rule_service_pb2 import CreateRuleRevisionRequest, SetRuleLabelRequest
from chenu.governance.v1.rule_service_pb2_grpc import RuleServiceStub
from chenu.governance.v1.tombstone_service_pb2 import LiftTombstoneRequest
from chenu.governance.v1.tombstone_service_pb2_grpc import TombstoneServiceStub
from chenu.identity.v1.agent_service_pb2 import HireAgentRequest
from chenu.identity.v1.agent_service_pb2_grpc import AgentServiceStub
from chenu.identity.v1.identity_pb2 import IdentityType
from chenu.identity.v1.identity_service_pb2 import CreateIdentityRequest
from chenu.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from chenu.threads.v1.message_service_pb2 import CreateMessageRequest
from chenu.threads.v1.message_service_pb2_grpc import MessageServiceStub
from chenu.threads.v1.thread_service_pb2 import GetThreadRequest
from chenu_gate.action import Target
from tests.laws.changes.governance import a_grant
from tests.laws.deciding import interaction
from tests.laws.hands import Hands, use
from tests.laws.reviewing import a_deputy
from tests.laws.stories import blocked
from tests.support.fleet import Client
from tests.support.identity import bearer
from tests.support.receiver import Receiver
from tests.support.waiting import soon


@dataclass(frozen=True)
class Household:
    """The ids of what a person has."""

    owner: Client
    thread: str
    run: str
    waiting: BlockedCheckpoint
    decided_request: str
    decision: str
    endpoint: str
    delivery: str
    agent: str
    freeze: str
    rejected: str
    grant: str
    channel: str
    notification: str
    revision: str


async def household(me: Client, hands: Hands) -> Household:
    """A thread with words in it, a run that waits, an approved delivery, an agent, a freeze."""
    channel, notification = await notified(me, hands)
    thread = await me.new_thread("Mine", request_id=str(uuid4()))
    await MessageServiceStub(me.fleet.channel("threads")).CreateMessage(
        CreateMessageRequest(thread_id=thread, content="Private words."), metadata=me.me
    )
    await _shared(me, hands, thread)
    revision = await _governed(me)
    search = use(me, "thread.search", query="Mine")
    searched = await hands.ask(me, search)
    await hands.execute(me, search, searched.permit)
    block = await blocked(me, "Delete the thread “Mine”", thread_id=thread)
    endpoint, delivery, request_id = await _delivered(me, hands)
    agent = await AgentServiceStub(me.fleet.channel("identity")).HireAgent(
        HireAgentRequest(
            display_name="Mine", session_secret=me.session.session_secret, request_id=str(uuid4())
        ),
        metadata=me.me,
    )
    frozen = await FreezeServiceStub(me.fleet.channel("governance")).Freeze(
        FreezeRequest(scope=FreezeScope.FREEZE_SCOPE_TOOL, value="no.such_tool"), metadata=me.me
    )
    await _held(me)
    await _pressed(me, hands)
    await _reviewed(me, hands)
    return Household(
        owner=me,
        thread=thread,
        run=block.run_id,
        waiting=block.checkpoints[0],
        decided_request=request_id,
        decision=searched.decision.decision_id,
        endpoint=endpoint,
        delivery=delivery,
        agent=agent.agent.agent_id,
        freeze=frozen.freeze.freeze_id,
        rejected=await _rejected(me, hands),
        grant=await a_grant(me),
        channel=channel,
        notification=notification,
        revision=revision,
    )


async def _held(me: Client) -> None:
    """A legal hold, and an erasure that was refused, of nobody that there is.

    Unless audit is away: the eighth law has everybody write then as well.
    """
    retention = RetentionServiceStub(me.fleet.channel("audit"))
    hold = PlaceHoldRequest(hold_id=str(uuid4()), person_id=str(uuid4()), matter="mine")
    erase = EraseSubjectRequest(person_id=str(uuid4()), rule="mine")
    away, refused = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.PERMISSION_DENIED
    calls: list[tuple[Any, Any]] = [(retention.PlaceHold, hold), (retention.EraseSubject, erase)]
    for call, request in calls:
        try:
            await call(request, metadata=me.me)
        except grpc.aio.AioRpcError as error:
            if error.code() not in (away, refused):
                raise


async def _reviewed(me: Client, hands: Hands) -> None:
    """A deputy, and a checkpoint that was remarked upon and then edited."""
    await a_deputy(me)
    reviews = ReviewServiceStub(me.fleet.channel("governance"))
    search = use(me, "thread.search", query=str(uuid4()))
    at = (await hands.ask(me, search, requires_checkpoint=True)).checkpoint
    remark = CommentCheckpointRequest(checkpoint_id=at.checkpoint_id, text="Rather look for y.")
    await reviews.CommentCheckpoint(remark, metadata=me.me)
    edit = EditCheckpointRequest(
        checkpoint_id=at.checkpoint_id, etag=at.view_digest, arguments='{"query": "y"}'
    )
    await reviews.EditCheckpoint(edit, metadata=me.me)


async def notified(me: Client, hands: Hands) -> tuple[str, str]:
    """A channel, and what it was told of a checkpoint."""
    channels = ChannelServiceStub(me.fleet.channel("courier"))
    async with Receiver() as outside:
        request = CreateChannelRequest(name=str(uuid4()), webhook_url=outside.url("/status/200"))
        made = (await channels.CreateChannel(request, metadata=me.me)).channel
        search = use(me, "thread.search", query=str(uuid4()))
        gated = await hands.ask(me, search, requires_checkpoint=True)
        told = ListNotificationsRequest(checkpoint_id=gated.checkpoint.checkpoint_id)

        async def delivered() -> str:
            found = (await channels.ListNotifications(told, metadata=me.me)).notifications
            done = NotificationState.NOTIFICATION_STATE_DELIVERED
            return next((one.notification_id for one in found if one.state == done), "")

        notification = await soon(delivered, "the channel was told")
    return made.channel_id, notification


async def _pressed(me: Client, hands: Hands) -> None:
    """A channel that the person decides from, and a button that was pressed there."""
    await InteractionServiceStub(me.fleet.channel("courier")).AnswerInteraction(
        await interaction(me, hands), metadata=bearer("", await hands.service("gateway"))
    )


async def _rejected(me: Client, hands: Hands) -> str:
    """A checkpoint that was rejected, and whose like may be asked again."""
    asked = await hands.ask(
        me, use(me, "thread.search", query=str(uuid4())), requires_checkpoint=True
    )
    checkpoint_id: str = asked.checkpoint.checkpoint_id
    await me.reject(checkpoint_id)
    await TombstoneServiceStub(me.fleet.channel("governance")).LiftTombstone(
        LiftTombstoneRequest(checkpoint_id=checkpoint_id), metadata=me.me
    )
    return checkpoint_id


async def _shared(me: Client, hands: Hands, thread: str) -> None:
    """Another identity, which may read the thread."""
    made = await IdentityServiceStub(me.fleet.channel("identity")).CreateIdentity(
        CreateIdentityRequest(type=IdentityType.IDENTITY_TYPE_ENTERPRISE, display_name="Shop"),
        metadata=me.me,
    )
    request = GetThreadRequest(thread_id=thread)
    etag = (await me.threads.GetThread(request, metadata=me.me)).thread.etag
    shop, request_id = made.identity.identity_id, str(uuid4())
    targets = Target("thread", thread, etag, "Mine"), Target("identity", shop, name="Shop")
    action = use(me, "thread.share", *targets, thread=thread, identity=shop)
    await me.approve((await hands.ask(me, action, request_id)).checkpoint.checkpoint_id)
    await hands.execute(me, action, (await hands.ask(me, action, request_id)).permit)


async def _governed(me: Client) -> str:
    """Rules in the shadow, which count and note what the person does from now on."""
    rules = RuleServiceStub(me.fleet.channel("governance"))
    document = RuleDocument(
        rules=[Rule(code="no_search", effect="EFFECT_DENY", kinds=["ACTION_KIND_SEARCH"])],
        counters=[
            Counter(
                name="all",
                measure="COUNTER_MEASURE_COUNT",
                per="COUNTER_PER_IDENTITY",
                window_seconds=86_400,
            )
        ],
    )
    made = await rules.CreateRuleRevision(
        CreateRuleRevisionRequest(document=document), metadata=me.me
    )
    await rules.SetRuleLabel(
        SetRuleLabelRequest(label="shadow", revision=made.revision.revision), metadata=me.me
    )
    return str(made.revision.revision)


async def _delivered(me: Client, hands: Hands) -> tuple[str, str, str]:
    """An endpoint, what was sent there, and the request id under which it was approved."""
    async with Receiver() as outside:
        request: Any = CreateEndpointRequest(
            name="Mine", url=outside.url("/status/200"), request_id=str(uuid4())
        )
        made = (await me.endpoints.CreateEndpoint(request, metadata=me.me)).endpoint
        action = use(
            me,
            "webhook.send",
            Target("endpoint", made.endpoint_id, made.etag),
            endpoint=made.endpoint_id,
            payload={"text": "hello"},
        )
        request_id = str(uuid4())
        gated = await hands.ask(me, action, request_id)
        etag = (await me.checkpoint(gated.checkpoint.checkpoint_id)).etag
        assert etag == gated.checkpoint.view_digest
        await me.approve(gated.checkpoint.checkpoint_id, comment="Do it.")
        await hands.execute(me, action, (await hands.ask(me, action, request_id)).permit)
    listed = await me.deliveries.ListDeliveries(ListDeliveriesRequest(), metadata=me.me)
    return made.endpoint_id, listed.deliveries[0].delivery_id, request_id
