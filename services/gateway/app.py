"""The HTTP application: a route for each binding, and the few pages beside them."""

import time
from typing import Any, Final
from urllib.parse import quote

import grpc
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp

from kernel import telemetry
from kernel.caller import UUID
from kernel.channels import Channels, acting_as
from kernel.context import CallContext, current, enter, new_id
from kernel.errors import InvalidArgument
from kernel.interceptors.error_mapping import service_error
from services.gateway import download, pages, problems, sse
from services.gateway.contract import Binding, bindings
from services.gateway.credentials import (
    TICKET,
    Credentials,
    add_session,
    csrf_token,
    end_session,
    refuse_foreign_page,
    set_session,
)
from services.gateway.deciding import Deciding
from services.gateway.open_streams import OpenStreams
from services.gateway.openapi import document
from services.gateway.request_body import BodyRefused, has_body, read_json
from services.gateway.security_headers import SecurityHeaders
from services.gateway.settings import GatewaySettings
from services.gateway.transcoding import request_message, response_json

_SESSIONS: Final = frozenset({"Login", "Register"})
_RETIRED: Final = ("/api/auth", "/api/v1")


class Gateway:
    """Answers HTTP requests by calling RPCs."""

    def __init__(self, channels: Channels, settings: GatewaySettings) -> None:
        self._channels, self._settings = channels, settings
        self._credentials = Credentials(channels)
        self._open = OpenStreams(settings.streams_per_person)

    def application(self) -> ASGIApp:
        """The ASGI application."""
        routes = [self._route(binding) for binding in _specific_first()]
        openapi = document()
        routes += Deciding(self._channels, self._settings).routes()
        routes += [
            Route("/", pages.welcome),
            Route("/health", pages.health),
            Route("/openapi.json", lambda _: JSONResponse(openapi)),
            Route("/docs", pages.docs),
            Route("/redoc", pages.docs),
        ]
        for prefix in _RETIRED:
            verbs = ["GET", "POST", "PUT", "PATCH", "DELETE"]
            routes.append(Route(f"{prefix}/{{rest:path}}", _retired, methods=verbs))
        cors = Middleware(
            CORSMiddleware,
            allow_origins=list(self._settings.cors_origins),
            allow_credentials=True,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["X-Total-Count", "Location", "Retry-After", "ETag", "X-Request-Id"],
        )
        handlers: dict[Any, Any] = {404: _not_found, 405: _wrong_verb, Exception: _failed}
        application = Starlette(routes=routes, middleware=[cors], exception_handlers=handlers)
        # It would send who adds a slash, with their token, to whatever the Host header says.
        application.router.redirect_slashes = False
        return SecurityHeaders(application)

    def _route(self, binding: Binding) -> Route:
        route = Route(binding.route, self._endpoint(binding), methods=[binding.verb])
        if binding.streams and route.methods:
            # It would open a stream, or start a run, that nobody looks at.
            route.methods.discard("HEAD")
        return route

    def _endpoint(self, binding: Binding) -> Any:
        async def endpoint(request: Request) -> Response:
            span = f"{binding.verb} {binding.path}"
            with telemetry.server_span(span, request.headers):
                _open_context(binding, request, self._settings.call_seconds)
                response = await self._response_or_problem(binding, request)
                response.headers["X-Request-Id"] = current().request_id
                return response

        return endpoint

    async def _response_or_problem(self, binding: Binding, request: Request) -> Response:
        try:
            return await self._answer(binding, request)
        except grpc.aio.AioRpcError as error:
            return problems.from_rpc(error)
        except BodyRefused as refused:
            return refused.response
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception as error:  # noqa: BLE001 - nothing of it may leave
            return problems.from_error(service_error(error))

    async def _answer(self, binding: Binding, request: Request) -> Response:
        if binding.method.name in _SESSIONS:
            refuse_foreign_page(request, self._settings.cors_origins)
        body = await self._body(binding, request)
        query = request.query_params.multi_items()
        if binding.sends_events:
            query = [(name, value) for name, value in query if name != TICKET]
        message = request_message(binding, request.path_params, query, body, request.headers)
        add_session(request, message)
        token = await self._credentials.token_for(binding, request, message)
        metadata = (("x-forwarded-for", request.client.host),) if request.client else ()
        channel: Any = self._channels.channel(binding.service)
        codec = {
            "request_serializer": binding.request_class.SerializeToString,
            "response_deserializer": binding.response_class.FromString,
        }
        if binding.streams:
            sse.resume(message, request.headers.get("last-event-id", ""))
            call = channel.unary_stream(binding.full_name, **codec)
            with acting_as(token):
                if binding.sends_a_file:
                    pieces = call(message, timeout=download.SECONDS, metadata=metadata)
                    return await download.file_response(pieces)
                watched = call(message, timeout=sse.SECONDS, metadata=metadata)
                events = self._open.counted(token, watched)
                return await sse.stream_response(events)
        call = channel.unary_unary(binding.full_name, **codec)
        with acting_as(token):
            answer = await call(message, timeout=self._settings.call_seconds, metadata=metadata)
        response = self._response(binding, response_json(answer))
        if getattr(message, "include_total", False):
            response.headers["X-Total-Count"] = str(getattr(answer, "total_size", 0))
        return response

    async def _body(self, binding: Binding, request: Request) -> bytes:
        if binding.whole_body:
            limit, seconds = self._settings.max_body_bytes, self._settings.body_seconds
            return await read_json(request, limit, seconds)
        if has_body(request):
            # Who says there that it must not have changed would not be heard.
            raise InvalidArgument("this takes no body: say it in the query, or in headers")
        return b""

    def _response(self, binding: Binding, answer: dict[str, Any]) -> Response:
        secret = answer.pop("session_secret", "")
        if secret:
            answer["csrf_token"] = csrf_token(secret)
        response = JSONResponse(answer)
        if binding.method.name in _SESSIONS and secret:
            set_session(response, secret, secure=self._settings.cookie_secure)
        if binding.method.name == "Logout":
            end_session(response)
        if len(answer) == 1 and (etag := _etag(answer)):
            response.headers["ETag"] = f'"{etag}"'
        return response


def _open_context(binding: Binding, request: Request, seconds: float) -> None:
    asked = request.headers.get("x-request-id", "")
    enter(
        CallContext(
            binding.full_name,
            request_id=asked if UUID.fullmatch(asked) else new_id(),
            peer_ip=request.client.host if request.client else "",
            deadline=None if binding.streams else time.monotonic() + seconds,
        )
    )


def _specific_first() -> list[Binding]:
    """Fixed paths before those with parameters: `/checkpoints/count` is no checkpoint."""
    return sorted(bindings(), key=lambda b: [part.startswith("{") for part in b.path.split("/")])


def _etag(answer: dict[str, Any]) -> str:
    resource = next(iter(answer.values()))
    return str(resource.get("etag", "")).strip('"') if isinstance(resource, dict) else ""


async def _retired(request: Request) -> Response:
    # Quoted once more: what comes decoded may hold anything, line breaks too.
    path = "/api/v2" + quote(request.url.path.removeprefix("/api/v1").removeprefix("/api"))
    return problems.plain(
        410, "Gone", f"use {path}", {"Link": f'<{path}>; rel="successor-version"'}
    )


async def _not_found(_: Request, __: Exception) -> Response:
    return problems.plain(404, "Not found", "no such path; /docs lists them")


async def _failed(_: Request, __: Exception) -> Response:
    return problems.plain(500, "Internal error", "an internal error")


async def _wrong_verb(request: Request, _: Exception) -> Response:
    # Starlette names the verbs of the first route only, and each verb of a path has its own.
    routes = [r for r in request.app.routes if r.matches(request.scope)[0] is not Match.NONE]
    headers = {"Allow": ", ".join(sorted({verb for route in routes for verb in route.methods}))}
    return problems.plain(405, "Method not allowed", "see /docs for what this path takes", headers)
