"""A place outside: an HTTP server that takes webhooks, and misbehaves as its path says.

| path | what it does |
|---|---|
| /status/200 | answers with that status |
| /then/503-200 | answers a message with one status after the other |
| /hang | takes the message and never answers |
| /late/200 | answers when it is let go |
| /abort | takes the message and breaks the connection |
| /redirect | sends elsewhere: to /status/200 |
| /flood | answers without end |
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web

from tests.support.waiting import PATIENCE


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Listens on a free port; `received` by webhook-id."""

    def __init__(self) -> None:
        self.received: dict[str, list[Received]] = defaultdict(list)
        self.requests = 0
        self.port = 0
        self.arrived = asyncio.Condition()
        self._closing = asyncio.Event()
        self._late = asyncio.Event()
        app = web.Application()
        app.router.add_route("*", "/{kind}", self._take)
        app.router.add_route("*", "/{kind}/{what}", self._take)
        self._runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        self._late.set()
        await self._runner.cleanup()

    def url(self, path: str) -> str:
        """Where a webhook would be sent."""
        return f"http://127.0.0.1:{self.port}{path}"

    def let_go(self) -> None:
        """Answer what is late now."""
        self._late.set()
        self._late = asyncio.Event()

    async def wait_for(self, webhook_id: str) -> None:
        """Until a message has come."""
        async with asyncio.timeout(PATIENCE), self.arrived:
            await self.arrived.wait_for(lambda: webhook_id in self.received)

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        webhook_id = request.headers.get("webhook-id", "")
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests += 1
        async with self.arrived:
            self.received[webhook_id].append(Received(request.path_qs, headers, body))
            self.arrived.notify_all()
        return await self._answer(request, webhook_id)

    async def _answer(self, request: web.Request, webhook_id: str) -> web.StreamResponse:
        what: Any = request.match_info.get("what", "")
        match request.match_info["kind"]:
            case "then":
                statuses = what.split("-")
                turn = min(len(self.received[webhook_id]), len(statuses)) - 1
                return web.Response(status=int(statuses[turn]))
            case "hang":
                await self._closing.wait()
            case "late":
                await self._late.wait()
            case "abort":
                transport = request.transport
                if transport is not None:
                    transport.abort()
            case "redirect":
                raise web.HTTPFound(self.url("/status/200"))
            case "flood":
                answer = web.StreamResponse()
                await answer.prepare(request)
                while not self._closing.is_set():
                    await answer.write(b"x" * 65536)
        return web.Response(status=int(what or 200))
