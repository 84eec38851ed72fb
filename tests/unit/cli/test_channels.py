"""Channels, against recorded answers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.testing import Result

from chenu.courier.v1 import channel_service_pb2 as rpc
from chenu.courier.v1.channel_pb2 import Attempt, Channel, ChannelKind, Notification
from chenu.identity.v1.channel_grant_pb2 import ChannelMethod
from chenu.identity.v1.channel_grant_service_pb2 import (
    IssueChannelGrantResponse,
    RevokeChannelGrantResponse,
)
from tests.unit.cli.conftest import Recording

Chenu = Callable[..., Result]
CHANNEL = "01920000-0000-7000-8000-00000000ca01"
SENT = "01920000-0000-7000-8000-00000000ca02"
DIGEST = "sha256:" + "ab" * 32


def a_channel(**changes: Any) -> Channel:
    given: dict[str, Any] = {
        "channel_id": CHANNEL,
        "name": "Me",
        "kind": ChannelKind.CHANNEL_KIND_EMAIL,
    }
    given |= {"address": "me@example.org", "confirmed": True}
    return Channel(**given | changes)


def test_a_webhook_is_added_and_its_secret_is_shown(chenu: Chenu, recording: Recording) -> None:
    made = a_channel(kind=ChannelKind.CHANNEL_KIND_WEBHOOK, public_key="whpk_x")
    recording.answer("CreateChannel", rpc.CreateChannelResponse(channel=made, secret="whsec_y"))

    shown = chenu("channels", "add", "Me", "--webhook", "https://example.org/").stdout

    assert "whsec_y" in shown
    assert "whpk_x" in shown
    (sent,) = recording.calls("CreateChannel")
    assert (sent.name, sent.webhook_url) == ("Me", "https://example.org/")
    assert sent.request_id


def test_a_channel_has_one_address(chenu: Chenu, recording: Recording) -> None:
    for options in ([], ["--email", "me@example.org", "--slack", "https://example.org/"]):
        assert chenu("channels", "add", "Me", *options).exit_code == 2
    assert recording.calls("CreateChannel") == []


def test_a_channel_is_confirmed_allowed_to_decide_and_forbidden_again(
    chenu: Chenu, recording: Recording
) -> None:
    waits = a_channel(confirmed=False)
    allowed = a_channel(kind=ChannelKind.CHANNEL_KIND_SLACK_APP)
    allowed.decide_until.FromSeconds(1_800_000_000)
    recording.answer("ListChannels", rpc.ListChannelsResponse(channels=[waits]))
    assert "waits for its code" in chenu("channels", "list").stdout
    recording.answer("ListChannels", rpc.ListChannelsResponse(channels=[allowed]))
    recording.answer("ConfirmChannel", rpc.ConfirmChannelResponse(channel=a_channel()))
    recording.answer("IssueChannelGrant", IssueChannelGrantResponse(channel_grant="granted"))
    recording.answer("RevokeChannelGrant", RevokeChannelGrantResponse())
    recording.answer("SetChannelGrant", rpc.SetChannelGrantResponse(channel=allowed))

    assert chenu("channels", "confirm", "Me", "0123456789").exit_code == 0
    assert "decides until" in chenu("channels", "allow", "Me").stdout
    assert chenu("channels", "forbid", "Me").exit_code == 0

    assert recording.calls("ConfirmChannel")[0].code == "0123456789"
    (bought,) = recording.calls("IssueChannelGrant")
    assert (bought.channel_id, bought.method) == (CHANNEL, ChannelMethod.CHANNEL_METHOD_CHAT)
    assert bought.session_secret
    assert [one.channel_grant for one in recording.calls("SetChannelGrant")] == ["granted", ""]
    assert recording.calls("RevokeChannelGrant")[0].channel_id == CHANNEL


def test_a_slack_app_is_told_by_a_file(chenu: Chenu, recording: Recording, tmp_path: Path) -> None:
    recording.answer("CreateChannel", rpc.CreateChannelResponse(channel=a_channel()))
    file = tmp_path / "app.json"
    app = {"bot_token": "xoxb-1", "signing_secret": "s" * 20, "user_id": "U1"}
    file.write_text(json.dumps(app))
    assert chenu("channels", "add", "Me", "--slack-app", str(file)).exit_code == 0
    (sent,) = recording.calls("CreateChannel")
    assert sent.slack_app == rpc.SlackApp(**app)
    for wrong in ("{", '{"bot": 1}'):
        file.write_text(wrong)
        assert chenu("channels", "add", "Me", "--slack-app", str(file)).exit_code == 2
    assert chenu("channels", "add", "Me", "--slack-app", str(tmp_path)).exit_code == 2


def test_channels_are_listed_switched_and_removed_by_name(
    chenu: Chenu, recording: Recording
) -> None:
    one = a_channel(disabled=True, disable_reason="HTTP_410")
    recording.answer("ListChannels", rpc.ListChannelsResponse(channels=[one]))
    recording.answer("SwitchChannel", rpc.SwitchChannelResponse(channel=a_channel()))
    recording.answer("DeleteChannel", rpc.DeleteChannelResponse())

    listed = chenu("channels", "list").stdout
    assert "me@example.org" in listed
    assert "HTTP_410" in listed
    assert chenu("channels", "switch", "Me", "--on").exit_code == 0
    assert chenu("channels", "remove", "Me").exit_code == 0
    assert recording.calls("SwitchChannel")[0].disabled is False
    assert recording.calls("DeleteChannel")[0].channel_id == CHANNEL
    recording.answer("ListChannels", rpc.ListChannelsResponse())
    assert "No channels." in chenu("channels", "list").stdout


def test_the_log_shows_the_last_attempt_and_a_notification_is_replayed(
    chenu: Chenu, recording: Recording
) -> None:
    one = Notification(
        notification_id=SENT,
        channel_id=CHANNEL,
        type="checkpoint.created",
        view_digest=DIGEST,
        state="NOTIFICATION_STATE_FAILED",
        attempts=[Attempt(number=1, reason="SMTP_550", status=550)],
    )
    recording.answer("ListNotifications", rpc.ListNotificationsResponse(notifications=[one]))
    recording.answer("ReplayNotification", rpc.ReplayNotificationResponse(notification=one))

    assert "SMTP_550" in chenu("channels", "log").stdout
    assert chenu("channels", "replay", "ca02").exit_code == 0
    assert recording.calls("ReplayNotification")[0].notification_id == SENT
