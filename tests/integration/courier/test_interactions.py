"""What is pressed in a chat: checked as Slack signs it, and traded for a ballot."""

import time
from typing import Any
from uuid import uuid4

import grpc

from chenu.courier.v1 import channel_service_pb2 as rpc
from chenu.courier.v1.interaction_service_pb2 import (
    AnswerInteractionRequest,
    ExplainInteractionRequest,
)
from tests.support.channels import settled, tell
from tests.support.courier import CourierClient
from tests.support.identity import Person
from tests.support.receiver import Receiver
from tests.support.refusals import refused
from tests.support.slack import Message, SlackServer, pressed, signature
from tests.support.slack_cards import about, an_app, somebody

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


def posted(body: bytes, headers: dict[str, str] | None = None) -> AnswerInteractionRequest:
    signed = headers or signature(body)
    return AnswerInteractionRequest(
        body=body,
        timestamp=signed["x-slack-request-timestamp"],
        signature=signed["x-slack-signature"],
    )


async def answer(
    client: CourierClient, body: bytes, headers: dict[str, str] | None = None, by: str = "gateway"
) -> Any:
    return await client.interactions.AnswerInteraction(
        posted(body, headers), metadata=client.identity.as_service(by)
    )


async def explain(
    client: CourierClient, body: bytes, headers: dict[str, str] | None = None, by: str = "gateway"
) -> bool:
    """Whether the user was told."""
    request = ExplainInteractionRequest(
        interaction=posted(body, headers), reason="LOGIN_REQUIRED", text="Not <so>. Log in."
    )
    answer = await client.interactions.ExplainInteraction(
        request, metadata=client.identity.as_service(by)
    )
    return bool(answer.told)


async def card(client: CourierClient, person: Person, slack: SlackServer, user: str) -> Message:
    told = about(person)
    await tell(client, told)
    (message,) = await slack.wait_for(user)
    await settled(client, person, told)
    return message


async def test_row_8_a_button_gives_the_ballot_of_the_view_that_was_shown(
    client: CourierClient, person: Person, slack: SlackServer
) -> None:
    await an_app(client, person, slack, user := somebody())
    told = about(person)
    await tell(client, told)
    (message,) = await slack.wait_for(user)
    for option in ("approve", "reject"):
        given = await answer(client, pressed(message, option))
        assert given.option_id == option
        claims = await client.identity.keys.verify(
            given.ballot, typ="ballot+jwt", audience="identity"
        )
        assert claims["checkpoint"] == told.checkpoint.checkpoint_id
        assert claims["view_digest"] == told.checkpoint.etag
        assert claims["sub"] == person.person
    looked = await answer(client, pressed(message, "review"))
    assert (looked.ballot, looked.option_id) == ("", "")


async def test_a_forged_old_strange_or_garbled_interaction_is_refused(
    client: CourierClient, person: Person, slack: SlackServer
) -> None:
    await an_app(client, person, slack, user := somebody())
    message = await card(client, person, slack, user)
    body = pressed(message, "approve")
    unknown = pressed(message, "approve", actions=[{"action_id": "approve", "value": str(uuid4())}])
    another = pressed(message, "approve", user={"id": somebody()})
    strange = pressed(message, "review").replace(b"%22review%22", b"%22%5Cu0000%22")
    wrong: list[tuple[bytes, dict[str, str]]] = [
        (body, signature(body, secret="0" * 32)),
        (body, signature(pressed(message, "reject"))),
        (body, signature(body, at=time.time() - 301)),
        (body, signature(body, at=time.time() + 330)),
        (body, signature(body) | {"x-slack-request-timestamp": "now"}),
        (body, signature(body) | {"x-slack-signature": ""}),
        (unknown, signature(unknown)),
        (another, signature(another)),
        *((one, signature(one)) for one in (b"payload=", b"{}", b"\xff", b"payload=%7B%7D")),
        *((one, signature(one)) for one in (strange, b"payload=" + b"%5B" * 50_000)),
    ]
    for what, headers in wrong:
        await refused(answer(client, what, headers), UNAUTHENTICATED, "INTERACTION_REFUSED")
    call = answer(client, body, by="nova")
    await refused(call, grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED")


async def test_an_interaction_is_taken_once(
    client: CourierClient, person: Person, slack: SlackServer
) -> None:
    await an_app(client, person, slack, user := somebody())
    message = await card(client, person, slack, user)
    body = pressed(message, "approve")
    headers = signature(body)
    assert (await answer(client, body, headers)).ballot
    call = answer(client, body, headers)
    await refused(call, grpc.StatusCode.ABORTED, "INTERACTION_REPLAYED")


async def test_a_button_of_a_channel_that_may_not_decide_any_more_does_nothing(
    client: CourierClient, person: Person, slack: SlackServer
) -> None:
    channel = await an_app(client, person, slack, user := somebody())
    message = await card(client, person, slack, user)
    metadata = client.identity.as_human(person)
    of = {"channel_id": channel.channel_id}
    client.identity.ended_grants.add(channel.channel_id)
    call = answer(client, pressed(message, "approve"))
    await refused(call, grpc.StatusCode.FAILED_PRECONDITION, "CHANNEL_GRANT_ENDED")
    await client.channels.SetChannelGrant(rpc.SetChannelGrantRequest(**of), metadata=metadata)
    call = answer(client, pressed(message, "approve"))
    await refused(call, grpc.StatusCode.FAILED_PRECONDITION, "CHANNEL_DECIDES_NOTHING")
    await client.channels.SwitchChannel(
        rpc.SwitchChannelRequest(**of, disabled=True), metadata=metadata
    )
    call = answer(client, pressed(message, "approve"))
    await refused(call, grpc.StatusCode.FAILED_PRECONDITION, "CHANNEL_DISABLED")


async def test_who_pressed_is_told_why_it_did_not_count_and_nobody_else(
    client: CourierClient, person: Person, slack: SlackServer
) -> None:
    await an_app(client, person, slack, user := somebody())
    message = await card(client, person, slack, user)
    body = pressed(message, "approve", response_url=slack.response_url(user))
    headers = signature(body)
    assert (await answer(client, body, headers)).ballot

    assert await explain(client, body, headers)

    assert await slack.wait_for_answer(user) == "Not &lt;so&gt;. Log in."
    for wrong, signed in ((body, signature(body, secret="0" * 32)), (b"payload=", headers)):
        await refused(explain(client, wrong, signed), UNAUTHENTICATED, "INTERACTION_REFUSED")
    call = explain(client, body, headers, by="nova")
    await refused(call, grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED")
    assert not slack.told[user]


async def test_no_address_inside_is_called_because_a_message_names_it(
    client: CourierClient, person: Person, slack: SlackServer, receiver: Receiver
) -> None:
    await an_app(client, person, slack, user := somebody())
    message = await card(client, person, slack, user)
    for url in ("http://169.254.169.254/latest", "", "nowhere", receiver.url("/status/500")):
        assert not await explain(client, pressed(message, "approve", response_url=url))
