"""What a Slack app's server answers is anybody's text, since its address is anybody's."""

from typing import Any, cast

import pytest

from services.courier.channels import Address
from services.courier.dialing import Answered, Dialer
from services.courier.notifications import Tried
from services.courier.slack_apps import SlackApps

UNREADABLE = Tried("ANSWER_UNREADABLE", 200)


@pytest.mark.parametrize(
    ("body", "tried"),
    [
        (b'{"ok": true, "channel": "D1", "ts": "17.1"}', Tried("OK", 200, reference="D1/17.1")),
        (b'{"ok": true, "channel": "D\\u0000", "ts": "17.1"}', Tried("OK", 200)),
        (b'{"ok": true, "channel": "' + b"D" * 500_000 + b'", "ts": "17.1"}', Tried("OK", 200)),
        (b'{"ok": false, "error": "ratelimited"}', Tried("SLACK_RATELIMITED", 200)),
        (b'{"ok": false, "error": "no_text"}', Tried("SLACK_NO_TEXT", 200, final=True)),
        (b'{"ok": false, "error": "\\u0000"}', UNREADABLE),
        (b'{"ok": false, "error": "\\ud800"}', UNREADABLE),
        (b'{"ok": false, "error": ""}', UNREADABLE),
        (b"[" * 100_000, UNREADABLE),
        (b"ok", UNREADABLE),
    ],
)
async def test_nothing_of_an_answer_is_kept_but_what_slack_would_say(
    body: bytes, tried: Tried
) -> None:
    class Slack:
        async def post(self, *_: Any, **__: Any) -> Answered:
            return Answered(200, body=body)

    app = SlackApps(cast(Dialer, Slack()))
    assert await app.post(Address("https://slack.example/api"), {}) == tried
