"""`chenu channels …`: where you hear of checkpoints, and what was sent there."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer
from google.protobuf import json_format
from rich.console import Group, RenderableType
from rich.text import Text

from chenu.courier.v1.channel_pb2 import Channel, ChannelKind, Notification
from chenu.courier.v1.channel_service_pb2 import (
    ConfirmChannelRequest,
    CreateChannelRequest,
    CreateChannelResponse,
    DeleteChannelRequest,
    ListChannelsRequest,
    ListChannelsResponse,
    ListNotificationsRequest,
    ReplayNotificationRequest,
    SetChannelGrantRequest,
    SlackApp,
    SwitchChannelRequest,
)
from chenu.courier.v1.channel_service_pb2_grpc import ChannelServiceStub
from chenu.identity.v1.channel_grant_service_pb2 import RevokeChannelGrantRequest
from chenu.identity.v1.channel_grant_service_pb2_grpc import ChannelGrantServiceStub
from chenu_gate.view import short_digest
from cli.command import PageOption, command
from cli.connection import Connection
from cli.here import Here
from cli.identifiers import every, resolve
from cli.problems import UsageProblem
from cli.rendering import ago, facts, one_line, safe, short, state, table, when, word

Which = Annotated[str, typer.Argument(metavar="CHANNEL", help="Its name, its id, an end of it.")]


async def channel_id(connection: Connection, typed: str) -> str:
    """The id of the channel that was meant."""
    stub = connection.stub(ChannelServiceStub)
    request = ListChannelsRequest(page_size=200)
    known = every(stub.ListChannels, request, "channels", lambda one: str(one.name))
    return await resolve(typed, "channel", known, by_name=True)


async def list_channels(here: Here) -> None:
    """List your channels by name."""
    answer = await _all(here.connection.stub(ChannelServiceStub))
    here.show(answer, lambda found: channels_table(found.channels))


async def add(
    here: Here,
    name: Annotated[str, typer.Argument(help="How you call it.")],
    webhook: Annotated[str, typer.Option(help="Post signed messages to this URL.")] = "",
    email: Annotated[str, typer.Option(help="Send mails to this address.")] = "",
    slack: Annotated[str, typer.Option(help="The URL of a Slack incoming webhook.")] = "",
    slack_app: Annotated[
        Path | None,
        typer.Option(
            help="A JSON file of a Slack app: bot_token, signing_secret, user_id, and api_url"
            " where it is not Slack's own."
        ),
    ] = None,
) -> None:
    """Hear of checkpoints that you may decide: by webhook, mail or Slack.

    A webhook's secret is shown this once; its public key always. A mail address and a Slack app
    are sent a code first: give it back with [bold]chenu channels confirm[/bold].

    [bold]chenu channels add "Me" --email me@example.org[/bold]
    """
    given = {
        "webhook_url": webhook,
        "email": email,
        "slack_webhook_url": slack,
        "slack_app": _app(slack_app) if slack_app else None,
    }
    address: dict[str, Any] = {field: value for field, value in given.items() if value}
    if len(address) != 1:
        raise UsageProblem("give one of --webhook, --email, --slack and --slack-app")
    request = CreateChannelRequest(name=name, request_id=str(uuid4()), **address)
    made = await here.connection.stub(ChannelServiceStub).CreateChannel(request)
    here.show(made, _made)


async def confirm(
    here: Here, which: Which, code: Annotated[str, typer.Argument(help="What was sent there.")]
) -> None:
    """Confirm a mail address or a Slack app with the code that was sent there.

    After five wrong codes have a new one sent: [bold]chenu channels log[/bold] names the
    notification for [bold]chenu channels replay[/bold].
    """
    answer = await here.connection.stub(ChannelServiceStub).ConfirmChannel(
        ConfirmChannelRequest(channel_id=await channel_id(here.connection, which), code=code)
    )
    here.show(answer, lambda done: _facts(done.channel))


async def allow(here: Here, which: Which) -> None:
    """Decide from this channel without log-in what could do little harm, for some days.

    Mails then bear a link, Slack messages buttons. Whoever reads them decides as you; how much may
    be decided so is up to the rules. It ends when you log out, with [bold]chenu channels
    forbid[/bold], or by itself.
    """
    identifier = await channel_id(here.connection, which)
    stub = here.connection.stub(ChannelServiceStub)
    kinds = {one.channel_id: one.kind for one in (await _all(stub)).channels}
    grant = await here.connection.credentials.channel_grant(
        identifier, chat=kinds.get(identifier) == ChannelKind.CHANNEL_KIND_SLACK_APP
    )
    answer = await stub.SetChannelGrant(
        SetChannelGrantRequest(channel_id=identifier, channel_grant=grant)
    )
    here.show(answer, lambda done: _facts(done.channel))


async def forbid(here: Here, which: Which) -> None:
    """Decide from this channel no more; what was sent there is worth nothing from now on."""
    identifier = await channel_id(here.connection, which)
    # At identity first: then it holds, whatever became of the copy at courier.
    await here.connection.stub(ChannelGrantServiceStub).RevokeChannelGrant(
        RevokeChannelGrantRequest(channel_id=identifier)
    )
    answer = await here.connection.stub(ChannelServiceStub).SetChannelGrant(
        SetChannelGrantRequest(channel_id=identifier)
    )
    here.show(answer, lambda done: _facts(done.channel))


async def switch(
    here: Here, which: Which, enabled: Annotated[bool, typer.Option("--on/--off")]
) -> None:
    """Switch a channel on or off."""
    identifier = await channel_id(here.connection, which)
    answer = await here.connection.stub(ChannelServiceStub).SwitchChannel(
        SwitchChannelRequest(channel_id=identifier, disabled=not enabled)
    )
    here.show(answer, lambda switched: _facts(switched.channel))


async def remove(here: Here, which: Which) -> None:
    """Remove a channel, its secrets and all that was sent to it."""
    identifier = await channel_id(here.connection, which)
    answer = await here.connection.stub(ChannelServiceStub).DeleteChannel(
        DeleteChannelRequest(channel_id=identifier)
    )
    here.show(answer, lambda _: f"Channel {short(identifier)} is removed.")


async def log(
    here: Here,
    channel: Annotated[str, typer.Option(help="Only what was sent to this channel.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    page: PageOption = "",
) -> None:
    """List what was sent, the latest first, with the last attempt of each."""
    answer = await here.connection.stub(ChannelServiceStub).ListNotifications(
        ListNotificationsRequest(
            page_size=limit,
            page_token=page,
            channel_id=await channel_id(here.connection, channel) if channel else "",
        )
    )
    here.show(answer, lambda found: notifications_table(found.notifications))


async def replay(
    here: Here,
    which: Annotated[str, typer.Argument(metavar="NOTIFICATION", help="Its id, or an end of it.")],
) -> None:
    """Send a notification once more, with the same id and the same body."""
    stub = here.connection.stub(ChannelServiceStub)
    request = ListNotificationsRequest(page_size=200)
    known = every(stub.ListNotifications, request, "notifications", lambda one: str(one.type))
    answer = await stub.ReplayNotification(
        ReplayNotificationRequest(notification_id=await resolve(which, "notification", known))
    )
    here.show(answer, lambda sent: notifications_table([sent.notification]))


async def _all(stub: ChannelServiceStub) -> ListChannelsResponse:
    return await stub.ListChannels(ListChannelsRequest(page_size=200))


def _app(file: Path) -> SlackApp:
    """The app that a file tells of."""
    try:
        return json_format.Parse(file.read_text(encoding="utf-8"), SlackApp())
    except (OSError, ValueError, json_format.ParseError) as error:
        raise UsageProblem(f"{file} tells of no Slack app: {error}") from None


def channels_table(channels: Iterable[Channel]) -> RenderableType:
    """Channels, one line each."""
    return table(
        ("channel", "name", "kind", "address", "state", "made"),
        (
            (
                short(one.channel_id),
                one_line(one.name, 40),
                word(one, "kind"),
                safe(one.address),
                _switched(one),
                ago(one.create_time),
            )
            for one in channels
        ),
        empty="No channels. Register one: chenu channels add NAME --email ADDRESS",
    )


def notifications_table(notifications: Iterable[Notification]) -> RenderableType:
    """The delivery log, one line each."""
    return table(
        ("notification", "channel", "about", "view", "state", "attempts", "last", "next"),
        (
            (
                short(one.notification_id),
                short(one.channel_id),
                f"{safe(one.type)} {short(one.checkpoint_id)}",
                short_digest(one.view_digest),
                state(word(one, "state")),
                str(len(one.attempts)),
                safe(one.attempts[-1].reason) if one.attempts else "",
                when(one.next_attempt_time) if one.HasField("next_attempt_time") else "",
            )
            for one in notifications
        ),
        empty="Nothing was sent.",
    )


def _switched(channel: Channel) -> str:
    if channel.disabled:
        return f"off ({safe(channel.disable_reason)})" if channel.disable_reason else "off"
    if not channel.confirmed:
        return "waits for its code"
    decides = channel.HasField("decide_until")
    return f"on, decides until {when(channel.decide_until)}" if decides else "on"


def _facts(channel: Channel) -> RenderableType:
    lines = [
        ("channel", channel.channel_id),
        ("name", safe(channel.name)),
        ("kind", word(channel, "kind")),
        ("address", safe(channel.address)),
        ("state", _switched(channel)),
    ]
    if channel.public_key:
        lines.append(("public key", channel.public_key))
    return facts(lines)


def _made(made: CreateChannelResponse) -> RenderableType:
    if not made.secret:
        return _facts(made.channel)
    words = "Keep the secret now, it is not shown again:"
    return Group(_facts(made.channel), Text(words, style="yellow"), Text(made.secret))


def register_commands(app: typer.Typer) -> None:
    """Add them to the application."""
    group = typer.Typer(no_args_is_help=True, help="Where you hear of checkpoints.")
    command(group, "list")(list_channels)
    command(group, "add")(add)
    command(group, "confirm")(confirm)
    command(group, "allow")(allow)
    command(group, "forbid")(forbid)
    command(group, "switch")(switch)
    command(group, "remove")(remove)
    command(group, "log")(log)
    command(group, "replay")(replay)
    app.add_typer(group, name="channels", rich_help_panel="Things")
