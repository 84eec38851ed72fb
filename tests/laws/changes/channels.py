"""Changes of channels that are decided from, and what is pressed there."""

from uuid import uuid4

from chenu.courier.v1 import channel_service_pb2 as channels
from chenu.courier.v1.interaction_service_pb2 import ExplainInteractionRequest
from chenu.courier.v1.interaction_service_pb2_grpc import InteractionServiceStub
from tests.laws import deciding
from tests.laws.changes.scene import Call, Scene
from tests.support.channels import code_in
from tests.support.identity import bearer
from tests.support.slack import SlackServer


async def confirm_channel(s: Scene) -> Call:
    user = f"U{uuid4().hex[:10].upper()}"
    async with SlackServer() as slack:
        request = channels.CreateChannelRequest(
            name=str(uuid4()), slack_app=channels.SlackApp(**slack.app(user))
        )
        made = await deciding.stub(s.me).CreateChannel(request, metadata=s.me.me)
        (note,) = await slack.wait_for(user)
        await deciding.sent(s.me, made.channel.channel_id)
    confirm = channels.ConfirmChannelRequest(
        channel_id=made.channel.channel_id, code=code_in(note.text)
    )
    return lambda: deciding.stub(s.me).ConfirmChannel(confirm, metadata=s.me.me)


async def set_channel_grant(s: Scene) -> Call:
    async with SlackServer() as slack:
        channel_id, _ = await deciding.slack_channel(s.me, s.hands, slack)
        await deciding.sent(s.me, channel_id)
    given = await deciding.grant(s.me, s.hands, channel_id, "CHAT")
    request = channels.SetChannelGrantRequest(channel_id=channel_id, channel_grant=given)
    return lambda: deciding.stub(s.me).SetChannelGrant(request, metadata=s.me.me)


async def answer_interaction(s: Scene) -> Call:
    request = await deciding.interaction(s.me, s.hands)
    metadata = bearer("", await s.hands.service("gateway"))
    stub = s.stub(InteractionServiceStub, "courier")
    return lambda: stub.AnswerInteraction(request, metadata=metadata)


async def explain_interaction(s: Scene) -> Call:
    request = ExplainInteractionRequest(
        interaction=await deciding.interaction(s.me, s.hands),
        reason="LOGIN_REQUIRED",
        text="Log in and decide there.",
    )
    metadata = bearer("", await s.hands.service("gateway"))
    stub = s.stub(InteractionServiceStub, "courier")
    return lambda: stub.ExplainInteraction(request, metadata=metadata)
