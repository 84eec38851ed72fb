"""A service from its settings to its orderly end.

    # services/threads/__main__.py
    async def assemble(service: Service[ThreadsSettings]) -> None:
        threads = Threads(service.database, service.settings)
        service.add_servicer(add_ThreadServiceServicer_to_server, ThreadServicer(threads))
        service.background("threads.sweeper", threads.sweep_forever)

    PROGRAM = Program("threads", ThreadsSettings, assemble)
    if __name__ == "__main__":
        main(PROGRAM)

With a database the service gets, without asking: its outbox relayed to audit,
`SourceService` served, denials audited. Several programs may share a process:
`await run(nova, threads)`. A test starts one with `await Service.start(...)`
and ends it with `await service.stop()`.
"""

import asyncio
import gc
import os
import secrets
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, Self, TypeVar

import grpc
import structlog
import uvloop
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import StringValue

from chenu.events.v1.source_service_pb2_grpc import add_SourceServiceServicer_to_server
from kernel import telemetry
from kernel.audit_event import use_digest_key
from kernel.channels import Channels
from kernel.context import background
from kernel.database import Database, OutboxState
from kernel.denials import Denials
from kernel.messaging import Messaging, nats_password
from kernel.pagination import PageTokens
from kernel.relay import Relay
from kernel.server import PortTaken, Server
from kernel.settings import ServiceSettings, SettingsError, SharedSettings, load
from kernel.source_servicer import SourceServicer, log_keys
from kernel.tokens import KeySet, SigningKey

KEY_SET_METHOD: Final = "/chenu.identity.v1.TokenService/GetKeySet"
KEYS_SECONDS: Final = 60.0
S = TypeVar("S", bound=ServiceSettings)
Work = Callable[[], Awaitable[None]]
Closer = Callable[[], Awaitable[Any]]
_log: Final = structlog.get_logger(component="service")


@dataclass(frozen=True, slots=True)
class Program(Generic[S]):
    """A service by name, its settings and what puts it together."""

    name: str
    settings_class: type[S]
    assemble: "Callable[[Service[S]], Awaitable[None]]"


class Service(Generic[S]):
    """What `assemble` is handed: everything of the kernel, made for this service."""

    def __init__(self, program: Program[S], shared: SharedSettings, settings: S) -> None:
        self.name, self.shared, self.settings = program.name, shared, settings
        self._assemble = program.assemble
        self.key = self._own_key()
        self.channels = Channels(shared, self.name, self.key)
        self.keys = KeySet(self._key_set)
        self.page_tokens = PageTokens(
            self.key.secret("page tokens") if self.key else secrets.token_bytes(32)
        )
        if self.key:
            use_digest_key(self.name, self.key.secret("audit digests"))
        self.stopping = asyncio.Event()
        """Set when the service begins to drain; endless streams should end."""
        self.port = 0
        self._server: Server
        self._tasks: list[asyncio.Task[None]] = []
        self._closers: list[Closer] = []

    @classmethod
    async def start(cls, program: Program[S], shared: SharedSettings, settings: S) -> Self:
        """Put together and serving; what was opened is closed again when that fails."""
        service = cls(program, shared, settings)
        try:
            await service._open()
        except BaseException:
            await service.stop()
            raise
        return service

    def add_servicer(self, add_function: Callable[[Any, Any], None], servicer: Any) -> None:
        """Serve it, inside the interceptor chain; ValueError where an RPC has no policy."""
        self._server.add(add_function, servicer)

    def background(self, name: str, work: Work) -> None:
        """Keep `work` running until the service stops; after a failure it starts again."""
        self._tasks.append(asyncio.create_task(_supervise(name, work), name=name))

    def on_stop(self, close: Closer) -> None:
        """Have this awaited at the end, after the last call; the last registered comes first."""
        self._closers.append(close)

    async def stop(self) -> int:
        """Drain, stop the background work, close what is open; how many tasks go on even so."""
        self.stopping.set()
        if self.port:
            await self._server.drain(self.shared.drain_seconds, self.shared.grace_seconds)
        # Whoever holds on to what is to be closed must not keep the rest open.
        limit = self.shared.grace_seconds + 1
        stubborn = await _cancelled(self._tasks, limit)
        for task in stubborn:
            _log.error("does not end", service=self.name, task=task.get_name())
        for close in reversed(self._closers):
            try:
                async with asyncio.timeout(limit):
                    await close()
            except Exception as error:  # noqa: BLE001 - the others must be closed too
                _log.warning("could not close", service=self.name, error=repr(error))
        return len(stubborn)

    async def _open(self) -> None:
        self.on_stop(self.channels.close)
        self.messaging = await Messaging.connect(
            self.shared.nats_url,
            max_bytes=self.shared.nats_max_bytes,
            name=self.name,
            password=nats_password(self.key) if self.key else None,
        )
        self.on_stop(self.messaging.close)
        denials = await self._open_database() if self.settings.database_url else None
        self._server = Server(self.name, self.keys, denials)
        if self.settings.worker_database_url:
            self._relay_events()
        await self._assemble(self)
        if self.settings.metrics_listen:
            stop_metrics = telemetry.serve_metrics(self.settings.metrics_listen)
            self.on_stop(lambda: asyncio.to_thread(stop_metrics))
        self.background(f"{self.name}.keys", self._refresh_keys)
        if self._server.names:
            self.port = await self._server.start(self.settings.listen, self.shared)
        _log.info("serving", service=self.name, port=self.port)

    async def _open_database(self) -> Denials:
        outbox = OutboxState()
        connect = partial(
            Database.connect, schema=self.name, pool_size=self.settings.pool_size, outbox=outbox
        )
        self.database = await connect(self.settings.database_url, application_name=self.name)
        self.on_stop(self.database.close)
        if self.settings.worker_database_url:
            self.worker = await connect(
                self.settings.worker_database_url, application_name=f"{self.name}.worker"
            )
            self.on_stop(self.worker.close)
        denials = Denials(self.database)
        self.background(f"{self.name}.denials", denials.flush_forever)
        self.on_stop(lambda: denials.flush(everything=True))
        return denials

    def _relay_events(self) -> None:
        relay = Relay(self.name, self.worker, self.messaging, self.shared)
        self.background(f"{self.name}.relay", relay.run)
        self.background(f"{self.name}.backlog", relay.watch_backlog)
        path = self.shared.log_key_file or self.shared.keys_dir / "log.vkey"
        source = SourceServicer(self.name, self.worker, partial(log_keys, path))
        self.add_servicer(add_SourceServiceServicer_to_server, source)

    def _own_key(self) -> SigningKey | None:
        path = self.settings.key_file or self.shared.keys_dir / f"{self.name}.pem"
        return SigningKey.load(path) if self.settings.key_file or path.exists() else None

    async def _key_set(self) -> str:
        """Identity's public keys; field 1 of the answer is the JWKS document."""
        get: Any = self.channels.bare("identity").unary_unary(
            KEY_SET_METHOD, Empty.SerializeToString, StringValue.FromString
        )
        answer = await get(Empty(), timeout=10)
        return str(answer.value)

    async def _refresh_keys(self) -> None:
        """Notice withdrawn keys; new ones are found when a token names them."""
        while True:
            await asyncio.sleep(KEYS_SECONDS)
            try:
                await self.keys.refresh()
            except grpc.aio.AioRpcError as error:
                _log.warning("keys not refreshed", service=self.name, code=error.code().name)


async def run(*programs: Program[Any]) -> None:
    """Serve them in this process until SIGTERM or SIGINT; SettingsError before anything opens."""
    shared, *settings = load(SharedSettings, *(p.settings_class for p in programs))
    telemetry.configure(shared, "+".join(p.name for p in programs))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    services: list[Service[Any]] = []
    try:
        for program, own in zip(programs, settings, strict=True):
            services.append(await Service.start(program, shared, own))
        _calm_collector()
        await stop.wait()
    finally:
        if any(await asyncio.gather(*(service.stop() for service in services))):
            os._exit(1)  # the loop would wait for them for ever, and whoever restarts us with it


def _calm_collector() -> None:
    """Keep what start-up made out of every later collection, and collect less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()


def main(*programs: Program[Any]) -> None:
    """`run`, as a process: a wrong setting, file or address, or a taken port, is told in words."""
    try:
        uvloop.run(run(*programs))
    except (SettingsError, PortTaken, OSError) as error:
        sys.exit(str(error))


async def _cancelled(tasks: Iterable[asyncio.Task[None]], seconds: float) -> set[Any]:
    """Cancel tasks; those that go on all the same."""
    pending, end = set(tasks), time.monotonic() + seconds
    while pending and time.monotonic() < end:
        for task in pending:
            task.cancel()  # more than once: `asyncio.wait_for` of 3.11 may swallow it
        _, pending = await asyncio.wait(pending, timeout=min(0.5, seconds))
    return pending


async def _supervise(name: str, work: Work) -> None:
    delay = 0.1
    while True:
        started = time.monotonic()
        try:
            with background(name):
                return await work()
        except Exception as error:  # noqa: BLE001 - whatever it is, the work must go on
            _log.error("background work failed", task=name, exc_info=error)
        delay = 0.1 if time.monotonic() - started > 60 else min(delay * 2, 10.0)
        await asyncio.sleep(delay)
