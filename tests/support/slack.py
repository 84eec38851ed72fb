"""A server that speaks Slack's web API and signs interactions as Slack does.

Messages are kept by what they are called (`channel/ts`), as they stand now. It misbehaves as the
user that is written to says:

| user | what it does |
|---|---|
| ULATER… | answers 429 once, with Retry-After: 70, then takes it |
| UGONE… | answers account_inactive |
"""

import asyncio
import hmac
import json
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlencode

from aiohttp import web

from tests.support.waiting import PATIENCE

TOKEN = "xoxb-test-token"
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


@dataclass
class Message:
    """One message in somebody's conversation with the app."""

    user: str
    reference: str
    said: list[dict[str, Any]] = field(default_factory=list)
    """What it says, and said before it was edited."""

    @property
    def now(self) -> dict[str, Any]:
        return self.said[-1]

    @property
    def text(self) -> str:
        """All that is to be read."""
        return "\n".join(
            block["text"]["text"] for block in self.now["blocks"] if block["type"] != "actions"
        )

    @property
    def buttons(self) -> dict[str, dict[str, Any]]:
        """What may be pressed, by its action."""
        actions = [block for block in self.now["blocks"] if block["type"] == "actions"]
        return {one["action_id"]: one for block in actions for one in block["elements"]}


class SlackServer:
    """Listens on a free port; `messages` by user."""

    def __init__(self) -> None:
        self.messages: dict[str, list[Message]] = defaultdict(list)
        self.limited: dict[str, int] = defaultdict(int)
        self.told: dict[str, list[dict[str, Any]]] = defaultdict(list)
        """What only a user was shown, in answer to what they pressed."""
        self.port = 0
        self.changed = asyncio.Condition()
        self.holding = asyncio.Event()
        """While clear, nothing is answered."""
        self.holding.set()
        self._stamps = 1_700_000_000
        app = web.Application()
        app.router.add_post("/api/chat.postMessage", self._post)
        app.router.add_post("/api/chat.update", self._update)
        app.router.add_post("/actions/{user}", self._answer)
        self._runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.holding.set()
        await self._runner.cleanup()

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def app(self, user: str) -> dict[str, str]:
        """The fields of a channel to this user."""
        return {
            "api_url": self.api_url,
            "bot_token": TOKEN,
            "signing_secret": SECRET,
            "user_id": user,
        }

    async def wait_for(self, user: str, count: int = 1) -> list[Message]:
        """Until so many messages were written."""
        async with asyncio.timeout(PATIENCE), self.changed:
            await self.changed.wait_for(lambda: len(self.messages[user]) >= count)
        return self.messages[user]

    def response_url(self, user: str) -> str:
        """Where an interaction of the user's is answered."""
        return f"http://127.0.0.1:{self.port}/actions/{user}"

    async def wait_for_answer(self, user: str) -> str:
        """Until the user was told something; what."""
        async with asyncio.timeout(PATIENCE), self.changed:
            await self.changed.wait_for(lambda: self.told[user])
        return str(self.told[user].pop()["text"])

    async def edited(self, message: Message) -> Message:
        """Until the message says something else than at first."""
        async with asyncio.timeout(PATIENCE), self.changed:
            await self.changed.wait_for(lambda: len(message.said) > 1)
        return message

    async def _post(self, request: web.Request) -> web.Response:
        body = await self._read(request)
        await self.holding.wait()
        user = str(body.pop("channel"))
        if user.startswith("UGONE"):
            return web.json_response({"ok": False, "error": "account_inactive"})
        if user.startswith("ULATER") and not self.limited[user]:
            self.limited[user] += 1
            return web.json_response(
                {"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": "70"}
            )
        self._stamps += 1
        channel, stamp = f"D{user}", f"{self._stamps}.000100"
        async with self.changed:
            self.messages[user].append(Message(user, f"{channel}/{stamp}", [body]))
            self.changed.notify_all()
        return web.json_response({"ok": True, "channel": channel, "ts": stamp, "message": body})

    async def _update(self, request: web.Request) -> web.Response:
        body = await self._read(request)
        reference = f"{body.pop('channel')}/{body.pop('ts')}"
        found = [m for one in self.messages.values() for m in one if m.reference == reference]
        if not found:
            return web.json_response({"ok": False, "error": "message_not_found"})
        async with self.changed:
            found[0].said.append(body)
            self.changed.notify_all()
        return web.json_response({"ok": True, "ts": reference.partition("/")[2]})

    async def _answer(self, request: web.Request) -> web.Response:
        """As at hooks.slack.com: no token, and "ok" in plain text."""
        assert "authorization" not in request.headers
        body: dict[str, Any] = await request.json()
        assert (body["response_type"], body["replace_original"]) == ("ephemeral", False)
        async with self.changed:
            self.told[request.match_info["user"]].append(body)
            self.changed.notify_all()
        return web.Response(text="ok")

    async def _read(self, request: web.Request) -> dict[str, Any]:
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        assert request.headers["content-type"] == "application/json; charset=utf-8"
        body: dict[str, Any] = await request.json()
        assert len(body["blocks"]) <= 50
        return body


def pressed(message: Message, action: str, **changes: Any) -> bytes:
    """What Slack posts when the user presses a button; `changes` replace parts of the payload."""
    button = message.buttons[action]
    payload = {
        "type": "block_actions",
        "user": {"id": message.user, "username": "ada", "team_id": "T0"},
        "api_app_id": "A0",
        "container": {"type": "message", "message_ts": message.reference.partition("/")[2]},
        "trigger_id": f"{time.time_ns()}",
        "response_url": "https://hooks.slack.com/actions/T0/1/2",
        "actions": [
            {
                "type": "button",
                "action_id": action,
                "block_id": "b",
                "value": button.get("value", ""),
                "action_ts": f"{time.time():.6f}",
            }
        ],
    }
    return urlencode({"payload": json.dumps({**payload, **changes})}).encode()


def signature(body: bytes, *, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    """The two headers by which Slack signs a body."""
    stamp = str(int(at or time.time()))
    digest = hmac.digest(secret.encode(), f"v0:{stamp}:".encode() + body, "sha256").hex()
    return {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={digest}"}
