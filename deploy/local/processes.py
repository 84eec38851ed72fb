"""The processes of the fleet: each service, and the simulator that stands in for the model."""

import http.client
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.local.server import HOST, Command, Server


class ServiceProcess(Server):
    """One service, as `python -m services NAME` with an environment of its own."""

    stop_signals = (signal.SIGTERM,)
    start_seconds = 120

    def __init__(self, name: str, state: Path, port: int, environment: Mapping[str, str]) -> None:
        super().__init__(state / "run" / name, state / "logs" / f"{name}.log", port=port)
        self.name = name
        self.environment = environment

    def prepare(self) -> Command:
        """Nothing to make: its database is provisioned, its keys are there."""
        return Command([sys.executable, "-m", "services", self.name])

    def ready(self) -> bool:
        """Whether its health service says SERVING."""
        # A channel costs a hundred times more than a refused connection, while all are starting.
        with socket.socket() as probe:
            if probe.connect_ex((HOST, self.port)):
                return False
        with grpc.insecure_channel(f"{HOST}:{self.port}") as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            try:
                answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=0.5)
            except grpc.RpcError:
                return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


class GatewayProcess(ServiceProcess):
    """The gateway, which speaks HTTP."""

    def ready(self) -> bool:
        """Whether it answers."""
        return _answers(f"http://{HOST}:{self.port}/health")


class SimulatorProcess(Server):
    """The model simulator."""

    name = "simulator"
    stop_signals = (signal.SIGTERM,)
    start_seconds = 120

    def __init__(self, state: Path, port: int) -> None:
        super().__init__(state / "run" / "simulator", state / "logs" / "simulator.log", port=port)

    def prepare(self) -> Command:
        """Nothing to make."""
        arguments = [sys.executable, "-m", "deploy.local.simulator", "--port", str(self.port)]
        return Command(arguments)

    def ready(self) -> bool:
        """Whether it answers, if only that a key is missing."""
        return _answers(f"http://{HOST}:{self.port}/v1/models")


class WitnessProcess(Server):
    """The log's witness: beside the fleet here, on somebody else's machine where it counts."""

    name = "witness"
    stop_signals = (signal.SIGTERM,)
    start_seconds = 120

    def __init__(self, state: Path, port: int) -> None:
        super().__init__(state / "run" / "witness", state / "logs" / "witness.log", port=port)
        self._state = state.absolute()

    def prepare(self) -> Command:
        """Nothing to make: its key is there since the stack was made."""
        folder, keys = self._state / "witness", self._state / "keys" / "log.vkey"
        options = ["--log-key", str(keys), "--listen", f"{HOST}:{self.port}"]
        return Command([sys.executable, "-m", "chenu_witness", str(folder), *options])

    def ready(self) -> bool:
        """Whether it tells its key."""
        return _answers(f"http://{HOST}:{self.port}/key")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=0.5):  # noqa: S310  the address is our own
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, http.client.HTTPException):  # nobody, or somebody else's server on its port
        return False
