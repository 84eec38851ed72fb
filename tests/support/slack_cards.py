"""Slack apps in tests of courier: channels to users, and notices that become cards there."""

from typing import Any
from uuid import uuid4

from chenu.courier.v1 import channel_service_pb2 as rpc
from chenu.courier.v1.channel_pb2 import Channel
from chenu.governance.v1.approval_pb2 import RiskClass
from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu.governance.v1.notice_service_pb2 import GetNoticeResponse, NoticeEvent
from tests.support.channels import a_channel, code_in, confirmed
from tests.support.courier import CourierClient
from tests.support.identity import Person
from tests.support.notices import a_notice
from tests.support.slack import SlackServer

APPROVED = CheckpointState.CHECKPOINT_STATE_APPROVED
LOW = RiskClass.RISK_CLASS_LOW


def somebody(prefix: str = "U") -> str:
    """The id of a user."""
    return f"{prefix}{uuid4().hex[:10].upper()}"


async def an_app(
    client: CourierClient, person: Person, slack: SlackServer, user: str, *, decides: bool = True
) -> Channel:
    """A confirmed channel to the user, from which the person may decide."""
    made = await a_channel(client, person, slack_app=slack.app(user))
    (note,) = await slack.wait_for(user)
    channel = await confirmed(client, person, made, code_in(note.text))
    slack.messages[user].clear()
    if decides:
        grant = client.identity.channel_grant(person, channel.channel_id)
        request = rpc.SetChannelGrantRequest(channel_id=channel.channel_id, channel_grant=grant)
        metadata = client.identity.as_human(person)
        await client.channels.SetChannelGrant(request, metadata=metadata)
    return channel


def about(person: Person, before: GetNoticeResponse | None = None, **fields: Any) -> Any:
    """A notice of a checkpoint that may be decided from a chat; of the one before, if given."""
    told = a_notice(person, **fields)
    told.checkpoint.risk = told.checkpoint.approval.remote_risk_class = LOW
    if before is not None:
        told.checkpoint.checkpoint_id = before.checkpoint.checkpoint_id
    return told


def ended(person: Person, before: GetNoticeResponse, **fields: Any) -> GetNoticeResponse:
    """That it was approved."""
    resolved = NoticeEvent.NOTICE_EVENT_RESOLVED
    told: GetNoticeResponse = about(person, before, event=resolved, state=APPROVED, **fields)
    told.checkpoint.view, told.checkpoint.etag = before.checkpoint.view, before.checkpoint.etag
    return told
