"""What `chenu doctor` looks at: each check says what it found, and what to do where that is bad."""

import asyncio
import json
import platform
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen
from uuid import uuid4

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chenu.audit.v1.alert_service_pb2 import ListAlertsRequest
from chenu.audit.v1.alert_service_pb2_grpc import AlertServiceStub
from chenu.audit.v1.entry_service_pb2 import ListEntriesRequest
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.log_service_pb2 import GetLogKeyRequest, GetTreeHeadRequest
from chenu.audit.v1.log_service_pb2_grpc import LogServiceStub
from chenu.courier.v1.endpoint_service_pb2 import ListEndpointsRequest
from chenu.courier.v1.endpoint_service_pb2_grpc import EndpointServiceStub
from chenu.governance.v1.checkpoint_service_pb2 import CountCheckpointsRequest
from chenu.governance.v1.checkpoint_service_pb2_grpc import CheckpointServiceStub
from chenu.identity.v1.auth_service_pb2 import GetMeRequest
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from chenu.identity.v1.token_service_pb2 import ExchangeDelegationRequest
from chenu.identity.v1.token_service_pb2_grpc import TokenServiceStub
from chenu.llm.v1.ledger_service_pb2 import ListLedgerEntriesRequest
from chenu.llm.v1.ledger_service_pb2_grpc import LedgerServiceStub
from chenu.nova.v1.run_service_pb2 import ListRunsRequest
from chenu.nova.v1.run_service_pb2_grpc import RunServiceStub
from chenu.threads.v1.thread_service_pb2 import ListThreadsRequest
from chenu.threads.v1.thread_service_pb2_grpc import ThreadServiceStub
from cli.here import Here
from cli.problems import Problem
from cli.verification.keys import read_keys, split_keys
from cli.verification.verdict import Malformed
from kernel.receipts import successors

LEAST_FREE: Final = 1 << 30
LONGEST_LAG: Final = 10.0
LARGEST_SKEW: Final = 5.0


@dataclass(frozen=True)
class Found:
    """What a check came to; `next_step` only where it is bad."""

    name: str
    good: bool
    words: str
    next_step: str = ""


async def every_check(here: Here) -> AsyncIterator[Found]:
    """One after the other, the most basic first."""
    yield _versions()
    yield _disk(here)
    yield _stream(here)
    try:
        endpoints = here.state.endpoints()
    except Problem as problem:
        yield Found("stack", good=False, words=str(problem), next_step=problem.next_step)
        return
    yield Found("stack", good=True, words=f"endpoints in {here.state.folder}")
    for service, address in endpoints.items():
        if service not in ("gateway", "demo_user"):
            yield await _health(here, service, str(address))
    for found in await asyncio.to_thread(_gateway, str(endpoints["gateway"])):
        yield found
    yield await _pinned_key(here)
    session = await _session(here)
    yield session
    if session.good:
        for service, call in _READS.items():
            yield await _database(here, service, call)
        yield await _audit_lag(here)
        yield await _audit_alerts(here)


async def _audit_alerts(here: Here) -> Found:
    name = "audit alerts"
    try:
        stub = here.connection.stub(AlertServiceStub)
        answer = await stub.ListAlerts(ListAlertsRequest(page_size=200))
    except Problem as problem:
        return Found(name, good=False, words=f"{problem.status}: {problem}", next_step="chenu up")
    words = f"{len(answer.alerts)} open"
    return Found(name, not answer.alerts, words, "chenu audit alerts" if answer.alerts else "")


def _versions() -> Found:
    words = f"chenu {version('chenu')}, Python {platform.python_version()}, grpc {grpc.__version__}"
    return Found("versions", good=True, words=words)


def _disk(here: Here) -> Found:
    folder = here.state.folder.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    words = f"{free / (1 << 30):.1f} GiB free where the state folder is"
    step = "" if free >= LEAST_FREE else "free some space: PostgreSQL and NATS stop without it"
    return Found("disk", free >= LEAST_FREE, words, step)


def _stream(here: Here) -> Found:
    """Whether NATS can keep the bundles on their way to the log; else only its own log tells."""
    from deploy.local.backends import Backends  # noqa: PLC0415 - not to slow every other command
    from deploy.local.errors import NoRoomForStream  # noqa: PLC0415 - likewise
    from kernel.messaging import STREAM  # noqa: PLC0415 - likewise
    from kernel.settings import SharedSettings  # noqa: PLC0415 - likewise

    environment = here.state.environment
    settings = json.loads(environment.read_text()) if environment.exists() else {}
    default = SharedSettings.model_fields["nats_max_bytes"].default
    wanted = int(settings.get("CHENU_NATS_MAX_BYTES", default))
    try:
        Backends(here.state.folder.absolute()).nats.check_room(STREAM, wanted)
    except NoRoomForStream as problem:
        what, _, step = str(problem).partition(". ")
        return Found("NATS stream", good=False, words=what, next_step=step)
    return Found("NATS stream", good=True, words=f"room for {wanted >> 20} MiB of bundles")


async def _health(here: Here, service: str, address: str) -> Found:
    stub: Any = health_pb2_grpc.HealthStub(here.connection.bare(service))
    began = time.monotonic()
    try:
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=3)
    except grpc.aio.AioRpcError as error:
        words = f"{address}: {error.code().name} {error.details() or ''}".strip()
        step = f"look at {here.state.folder}/logs/{service}.log; chenu up starts what ended"
        return Found(service, good=False, words=words, next_step=step)
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    words = f"{address}: {status} in {(time.monotonic() - began) * 1000:.0f} ms"
    return Found(service, status == "SERVING", words, "" if status == "SERVING" else "chenu up")


def _gateway(url: str) -> list[Found]:
    """The gateway, and by the time it gives, the clock."""
    try:
        with urlopen(f"{url}/health", timeout=3) as answer:  # noqa: S310 - our own address
            date = answer.headers.get("date", "")
    except (URLError, OSError) as error:
        return [Found("gateway", good=False, words=f"{url}: {error}", next_step="chenu up")]
    found = [Found("gateway", good=True, words=f"{url} answers")]
    if date:
        skew = abs((parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds())
        step = "" if skew <= LARGEST_SKEW else "set the clocks: tokens and permits live for seconds"
        words = f"{skew:.0f} s apart from the gateway's"
        found.append(Found("clock", skew <= LARGEST_SKEW, words, step))
    return found


async def _pinned_key(here: Here) -> Found:
    name, pin = "log key", here.state.pinned_key
    try:
        keys = split_keys(read_keys("", pin)).log
        stub = here.connection.stub(LogServiceStub, token="")
        answer = await stub.GetLogKey(GetLogKeyRequest())
    except (Problem, Malformed) as problem:
        step = "chenu audit verify"
        return Found(name, good=False, words=f"cannot be compared: {problem}", next_step=step)
    if not keys:
        step = f"get the key from whom you trust and put it into {pin}"
        return Found(name, good=False, words="not pinned", next_step=step)
    if answer.verifier_key not in map(str, successors(keys, answer.successions)):
        words = "the log signs with another key than the pinned one"
        return Found(name, good=False, words=words, next_step="find out who changed it, and why")
    if answer.verifier_key not in map(str, keys):
        return Found(name, good=True, words=f"the one pinned in {pin} has named the log's own")
    return Found(name, good=True, words=f"pinned in {pin}, and the log's own")


async def _session(here: Here) -> Found:
    try:
        session = here.connection.credentials.file.load()
        await here.connection.stub(AuthServiceStub).GetMe(GetMeRequest())
    except Problem as problem:
        step = problem.next_step or "chenu login"
        return Found("session", good=False, words=str(problem), next_step=step)
    return Found("session", good=True, words=f"logged in as {session.email}")


_READS: Final[dict[str, Callable[[Here], Awaitable[object]]]] = {
    "identity": lambda here: here.connection.stub(AuthServiceStub).GetMe(GetMeRequest()),
    "threads": lambda here: here.connection.stub(ThreadServiceStub).ListThreads(
        ListThreadsRequest(page_size=1)
    ),
    "governance": lambda here: here.connection.stub(CheckpointServiceStub).CountCheckpoints(
        CountCheckpointsRequest()
    ),
    "audit": lambda here: here.connection.stub(LogServiceStub).GetTreeHead(GetTreeHeadRequest()),
    "nova": lambda here: here.connection.stub(RunServiceStub).ListRuns(
        ListRunsRequest(page_size=1)
    ),
    "llm": lambda here: here.connection.stub(LedgerServiceStub).ListLedgerEntries(
        ListLedgerEntriesRequest(page_size=1)
    ),
    "courier": lambda here: here.connection.stub(EndpointServiceStub).ListEndpoints(
        ListEndpointsRequest(page_size=1)
    ),
}


async def _database(here: Here, service: str, call: Callable[[Here], Awaitable[object]]) -> Found:
    """A read that cannot be answered without the service's database."""
    name, began = f"{service} database", time.monotonic()
    try:
        await call(here)
    except Problem as problem:
        step = f"look at {here.state.folder}/logs/{service}.log and postgres.log"
        words = f"{problem.status}: {problem}"
        return Found(name, good=False, words=words, next_step=step)
    return Found(name, good=True, words=f"a read in {(time.monotonic() - began) * 1000:.0f} ms")


async def _audit_lag(here: Here) -> Found:
    """How long a change takes to the log: outbox, relay, NATS, audit, all in one.

    A delegation is exchanged under a request id of its own, and looked for in the log.
    """
    name, request_id, began = "audit lag", str(uuid4()), time.monotonic()
    entries = here.connection.stub(EntryServiceStub)
    step = "look at the logs of nats, identity and audit; nothing is lost, it only waits"
    try:
        await here.connection.stub(TokenServiceStub).ExchangeDelegation(
            ExchangeDelegationRequest(), metadata=(("x-request-id", request_id),)
        )
        while time.monotonic() < began + LONGEST_LAG:
            answer = await entries.ListEntries(
                ListEntriesRequest(page_size=1, request_id=request_id)
            )
            if answer.entries:
                words = f"{time.monotonic() - began:.1f} s from a change to its place in the log"
                return Found(name, good=True, words=words)
            await asyncio.sleep(0.2)
    except Problem as problem:
        return Found(name, good=False, words=f"{problem.status}: {problem}", next_step=step)
    words = f"a change is not in the log after {LONGEST_LAG:.0f} s"
    return Found(name, good=False, words=words, next_step=step)
