"""The HTTP server: Anthropic's Messages API on the outside, the planner within."""

import asyncio
import re
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

from aiohttp import web

from deploy.local.simulator import sse, wire
from deploy.local.simulator.conversation import read_conversation
from deploy.local.simulator.plan import Plan
from deploy.local.simulator.planner import plan
from deploy.local.simulator.script import (
    Fault,
    ScriptInvalid,
    scripted_faults,
    scripted_plan,
    without_script,
)

MAXIMUM_BODY: Final = 32 * 1024 * 1024  # as Anthropic's API
LABEL: Final = {"x-chenu-simulator": "1"}
_VERSION: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class Simulator:
    """Answers requests; remembers nothing but how often a scripted overload was played."""

    def __init__(self, latency: float = 0.0) -> None:
        self._latency = latency
        self._overloads: Counter[bytes] = Counter()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer any request, wrong ones in the error format."""
        request_id = f"req_sim_{secrets.token_hex(12)}"
        headers = {**LABEL, "request-id": request_id}
        try:
            return await self._route(request, headers)
        except wire.WireError as error:
            kind, message = error.kind, str(error)
        except RecursionError:
            kind, message = "invalid_request_error", "The request is nested too deeply"
        body = wire.error_body(kind, message, request_id)
        return _json(body, headers, status=wire.STATUS[kind])

    async def _route(
        self, request: web.BaseRequest, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        place = request.method, request.path
        if place == ("GET", "/health"):
            return _json(b'{"status":"serving"}', headers)
        _check_headers(request.headers)
        if place == ("POST", "/v1/messages"):
            return await self._messages(request, await _body(request), headers)
        if place == ("POST", "/v1/messages/count_tokens"):
            counted = wire.read_request(await _body(request), counting=True)
            return _json(wire.dumps({"input_tokens": wire.count_tokens(counted)}), headers)
        if place == ("GET", "/v1/models"):
            return _json(wire.dumps(_models()), headers)
        model = request.path.removeprefix("/v1/models/")
        if request.method == "GET" and model in wire.MODELS:
            return _json(wire.dumps(wire.model_info(model)), headers)
        raise wire.WireError("not_found_error", f"Not found: {request.method} {request.path}")

    async def _messages(
        self, request: web.BaseRequest, body: bytes, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        asked = wire.read_request(body)
        planned, faults = _plan(asked)
        pause = 0.0
        for fault in faults:
            if fault.kind == "overloaded":
                self._overload(body, fault.amount)
            elif fault.kind == "slow":
                pause = (fault.amount or 0) / 1000
        if self._latency or pause:
            await asyncio.sleep(self._latency + pause)
        message = wire.message_of(planned, asked)
        kinds = {fault.kind for fault in faults}
        if "wrong_model" in kinds:
            message["model"] = "another-vendors-model"
        if asked.get("stream"):
            return await _stream(request, _broken(list(sse.events(message)), kinds), headers, pause)
        return await _whole(request, message, headers, kinds)

    def _overload(self, body: bytes, times: int | None) -> None:
        """Refuse the same body so many times, or always."""
        key = sha256(body).digest()
        self._overloads[key] += 1
        if times is None or self._overloads[key] <= times:
            raise wire.WireError("overloaded_error", "Overloaded")


@asynccontextmanager
async def serving(
    host: str = "127.0.0.1", port: int = 0, latency: float = 0.0
) -> AsyncIterator[str]:
    """Serve within the context; gives the base URL. Port 0 takes a free one."""
    server = web.Server(Simulator(latency).handle, request_factory=_request, access_log=None)
    runner = web.ServerRunner(server, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        taken = runner.addresses[0]
        yield f"http://{host}:{taken[1]}"
    finally:
        await runner.cleanup()


def _plan(asked: Mapping[str, Any]) -> tuple[Plan, Sequence[Fault]]:
    conversation = read_conversation(asked["messages"])
    try:
        faults = scripted_faults(conversation.request)
        scripted = scripted_plan(conversation.request, len(conversation.rounds))
    except ScriptInvalid as error:
        raise wire.WireError("invalid_request_error", str(error)) from error
    if scripted:
        return scripted, faults
    words = without_script(conversation.request)
    return plan(replace(conversation, request=words), wire.offered_tools(asked)), faults


def _check_headers(headers: Mapping[str, str]) -> None:
    # The SDK of today sends the key as a bearer; the older header still counts.
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if not (headers.get("x-api-key") or (scheme.lower() == "bearer" and token)):
        raise wire.WireError("authentication_error", "no API key in x-api-key or authorization")
    if not _VERSION.fullmatch(headers.get("anthropic-version", "")):
        raise wire.WireError(
            "invalid_request_error", "anthropic-version: header is required, as YYYY-MM-DD"
        )


def _models() -> dict[str, Any]:
    return {
        "data": [wire.model_info(model) for model in wire.MODELS],
        "has_more": False,
        "first_id": wire.MODELS[0],
        "last_id": wire.MODELS[-1],
    }


async def _body(request: web.BaseRequest) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise wire.WireError("request_too_large", "Request exceeds the maximum size") from error


def _json(body: bytes, headers: Mapping[str, str], status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


def _broken(events: list[bytes], kinds: set[str]) -> list[bytes]:
    if "garbage" in kinds:
        return [events[0], b"event: content_block_delta\ndata: {not json\n\n"]
    return events[: len(events) // 2] if "truncate" in kinds else events


async def _whole(
    request: web.BaseRequest, message: dict[str, Any], headers: Mapping[str, str], kinds: set[str]
) -> web.StreamResponse:
    body = wire.dumps(message)
    if "garbage" in kinds:
        return _json(b"<html>not what you asked for</html>", headers)
    if "truncate" not in kinds:
        return _json(body, headers)
    response = web.StreamResponse(headers={**headers, "content-length": str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    _hang_up(request)
    return response


async def _stream(
    request: web.BaseRequest, events: list[bytes], headers: Mapping[str, str], pause: float
) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={**headers, "content-type": "text/event-stream", "cache-control": "no-cache"}
    )
    await response.prepare(request)
    for chunk in events if pause else [b"".join(events)]:
        await response.write(chunk)
        if pause:
            await asyncio.sleep(pause)
    await response.write_eof()
    return response


def _hang_up(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.close()


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    """As aiohttp makes it, but for the size of the body."""
    return web.BaseRequest(
        message,
        payload,
        protocol,
        writer,
        task,
        asyncio.get_running_loop(),
        client_max_size=MAXIMUM_BODY,
    )
