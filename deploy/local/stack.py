"""The whole fleet on this machine: started together, watched over, stopped together."""

import asyncio
import json
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import grpc

from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from deploy.local.backends import Backends
from deploy.local.choices import ANTHROPIC_KEY, STREAM_BYTES, Choices
from deploy.local.errors import BackendError, PortTaken
from deploy.local.ports import Ports, is_ours
from deploy.local.processes import (
    GatewayProcess,
    ServiceProcess,
    SimulatorProcess,
    WitnessProcess,
)
from deploy.local.provision import KeyMissing, provision
from deploy.local.secret_file import write_secret
from deploy.local.server import HOST, Server, refuse_taken_port
from kernel.messaging import STREAM
from kernel.settings import SharedSettings
from services.identity.demo import ensure_user

DEMO_EMAIL: Final = "demo@chenu.example"
LONGEST_PAUSE: Final = 30.0
_ATTEMPTS: Final = 5
Say = Callable[[str], None]


class Stack:
    """One stack in one state folder."""

    def __init__(self, state: Path, ports: Ports, choices: Choices, say: Say) -> None:
        self._state, self._ports, self._choices, self._say = state, ports, choices, say
        self._backends = Backends(state, postgres_port=ports.postgres, nats_port=ports.nats)
        self._processes: list[Server] = []
        self._ended: dict[str, tuple[int, float]] = {}

    @property
    def endpoints(self) -> Path:
        """The file that says where everything is; there while the stack is ready."""
        return self._state / "endpoints.json"

    def start(self) -> None:
        """Start everything, or nothing; BackendError says what to do about a failure."""
        self.endpoints.unlink(missing_ok=True)
        self._check()
        self._say("starting PostgreSQL and NATS")
        try:
            self._backends.start()
            self._say("keys, roles, schemas")
            environment = provision(self._state, self._backends, self._ports, self._choices)
            self._processes = self._make_processes(environment)
            self._say(f"starting {', '.join(process.name for process in self._processes)}")
            for process in self._processes:
                process.begin()
            for process in self._processes:
                process.wait_until_ready()
            self._write_endpoints()
        except BaseException:
            self.stop()
            raise

    def watch(self, stopping: Callable[[], bool]) -> None:
        """Start again what ends by itself, until it is time to stop."""
        while not stopping():
            for server in (self._backends.postgres, self._backends.nats, *self._processes):
                if not server.running() and not stopping():
                    self._start_again(server)
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop everything, the services before what they stand on."""
        self.endpoints.unlink(missing_ok=True)
        for process in self._processes:
            process.signal_stop()
        for process in self._processes:
            process.stop()
        self._backends.stop()

    def _check(self) -> None:
        """What would fail later is told before anything is made."""
        if self._choices.live and not os.environ.get(ANTHROPIC_KEY):
            raise KeyMissing
        default = SharedSettings.model_fields["nats_max_bytes"].default
        asked = self._choices.settings.get(STREAM_BYTES, default)
        self._backends.nats.check_room(STREAM, int(asked))
        for name, port in self._ports.named().items():
            if port:
                refuse_taken_port(name, port)

    def _start_again(self, server: Server) -> None:
        """At once the first time, ever less often where it keeps ending."""
        times, last = self._ended.get(server.name, (0, 0.0))
        times = 0 if time.monotonic() > last + 2 * LONGEST_PAUSE else times
        if time.monotonic() < last + min(0.5 * (2**times - 1), LONGEST_PAUSE):
            return
        self._ended[server.name] = times + 1, time.monotonic()
        self._say(f"{server.name} has ended; starting it again")
        try:
            server.begin()
        except BackendError as problem:
            self._say(str(problem))

    def _make_processes(self, environment: dict[str, str]) -> list[Server]:
        processes: list[Server] = []
        if not self._choices.live:
            processes.append(SimulatorProcess(self._state, self._ports.simulator))
        if self._ports.witness:
            processes.append(WitnessProcess(self._state, self._ports.witness))
        for service, port in self._ports.services.items():
            kind = GatewayProcess if service == "gateway" else ServiceProcess
            processes.append(kind(service, self._state, port, environment))
        return processes

    def _write_endpoints(self) -> None:
        services = self._ports.services
        addresses = {name: f"{HOST}:{port}" for name, port in services.items()}
        document = addresses | {
            "gateway": f"http://{HOST}:{services['gateway']}",
            "demo_user": self._demo_user(addresses["identity"]),
        }
        write_secret(self.endpoints, json.dumps(document, indent=2) + "\n")

    def _demo_user(self, identity: str) -> dict[str, str]:
        """The demo user, who is registered when the stack is made."""
        path = self._state / "demo_user.json"
        if not path.exists():
            self._say("the demo user")
            made = {"email": DEMO_EMAIL, "password": f"{secrets.token_urlsafe(12)}-a1"}
            asyncio.run(_ensure_user(identity, made))
            write_secret(path, json.dumps(made))
        user: dict[str, str] = json.loads(path.read_text())
        return user


def started(state: Path, ports_from: int | None, choices: Choices, say: Say) -> Stack:
    """A stack that runs; PortTaken only of a port that people chose."""
    for attempts_left in reversed(range(_ATTEMPTS)):
        stack = Stack(state, Ports.choose(ports_from), choices, say)
        try:
            stack.start()
        except PortTaken as taken:
            # Between finding a free port and using it, someone was faster.
            if not (attempts_left and is_ours(ports_from, taken.port)):
                raise
        else:
            return stack
    raise AssertionError("the last attempt returns or raises")


async def _ensure_user(identity: str, user: dict[str, str]) -> None:
    async with grpc.aio.insecure_channel(identity) as channel:
        await ensure_user(AuthServiceStub(channel), user["email"], user["password"], "Demo")
