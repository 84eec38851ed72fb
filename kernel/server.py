"""The gRPC server of one service: health and reflection without a token, an orderly end."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from kernel.channels import LIMITS
from kernel.denials import Denials
from kernel.errors import DETAILS_KEY, Unimplemented
from kernel.interceptors import Method, compose, grpc_handler
from kernel.interceptors.method import ServicerContext, policies
from kernel.settings import SharedSettings
from kernel.tokens import KeySet

HOUR_MS: Final = 3_600_000
OPTIONS: Final = [
    *LIMITS,
    ("grpc.max_concurrent_streams", 1000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_connection_age_ms", HOUR_MS),
    ("grpc.max_connection_age_grace_ms", HOUR_MS),
    ("grpc.so_reuseport", 0),  # a taken port is an error, not a second server
]
_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_log: Final = structlog.get_logger(component="server")


class PortTaken(Exception):
    """Nothing can listen at this address."""


class Server:
    """Servicers in their interceptor chain; refuses an RPC that has no policy."""

    def __init__(self, service: str, keys: KeySet, denials: Denials | None) -> None:
        self._service, self._keys, self._denials = service, keys, denials
        self._server = grpc.aio.server(options=OPTIONS)
        self._health = health.aio.HealthServicer()
        self.names: list[str] = []

    def add(self, add_function: Callable[[Any, Any], None], servicer: Any) -> None:
        """`add(add_ThreadServiceServicer_to_server, ThreadServicer(...))`."""
        add_function(servicer, self)

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """What generated code calls too; the call below carries all of it."""

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        """Called by generated code: take each method and put the chain around it."""
        found = policies(service)
        wrapped = {}
        for name, handler in handlers.items():
            method = Method(
                name=f"/{service}/{name}",
                policy=found[name],
                behaviour=handler.unary_unary or handler.unary_stream
                or handler.stream_unary or handler.stream_stream,
                deserialize=handler.request_deserializer,
                serialize=handler.response_serializer,
                streams_requests=handler.request_streaming,
                streams_responses=handler.response_streaming,
                service=self._service,
                keys=self._keys,
                denials=self._denials,
            )  # fmt: skip
            wrapped[name] = grpc_handler(method, compose(method))
        # Not registered at the server: of each registered method it would await the next call, and
        # so each call would cost more with every method.
        generic = grpc.method_handlers_generic_handler(service, wrapped)
        self._server.add_generic_rpc_handlers((generic,))
        self.names.append(service)

    async def start(self, listen: str, shared: SharedSettings) -> int:
        """Listen; returns the port."""
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = [*self.names, health.SERVICE_NAME, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(names, self._server)
        self._server.add_generic_rpc_handlers((_NoSuchMethod(),))
        try:
            port = self._add_port(listen, shared.tls_files())
        except RuntimeError:
            raise PortTaken(f"{self._service} cannot listen on {listen}: is it in use?") from None
        await self._server.start()
        for name in self.names:
            await self._health.set(name, _SERVING)
        return port

    def _add_port(self, listen: str, tls: tuple[bytes, bytes, bytes] | None) -> int:
        if tls is None:
            return self._server.add_insecure_port(listen)
        authority, key, certificate = tls
        credentials = grpc.ssl_server_credentials(
            [(key, certificate)], authority, require_client_auth=True
        )
        return self._server.add_secure_port(listen, credentials)

    async def drain(self, drain_seconds: float, grace_seconds: float) -> None:
        """Say NOT_SERVING and wait, so that no call meets a closed door; then stop."""
        # A call that is not accepted yet would get CANCELLED, which clients must not retry
        # (grpc#41785); hence the wait before the stop.
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(drain_seconds)
        await self._server.stop(grace_seconds)


class _NoSuchMethod(grpc.GenericRpcHandler):
    """The last handler: even a method that does not exist is refused with ErrorInfo."""

    def service(self, _: Any) -> "grpc.RpcMethodHandler[Any, Any]":
        return grpc.stream_stream_rpc_method_handler(_refuse)


async def _refuse(_: Any, context: ServicerContext) -> None:
    error = Unimplemented("there is no such method")
    await context.abort(error.code, str(error), ((DETAILS_KEY, error.status_bytes()),))
