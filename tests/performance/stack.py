"""The measured stack: real processes in a folder that is gone afterwards, and what they consume."""

import platform
import shutil
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import asyncpg
import psutil
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.backends import Backends
from deploy.local.choices import Choices
from deploy.local.ports import DEFAULT_PORTS, Ports
from deploy.local.processes import ServiceProcess, SimulatorProcess
from deploy.local.server import HOST, Server, free_port
from deploy.local.stack import Say, Stack
from deploy.postgres.roles import database_url

SERVICES: Final = tuple(name for name in DEFAULT_PORTS if name != "gateway")
# Passwords are hashed before anything is measured; log-ins are not what a run costs.
_CHEAP_PASSWORDS: Final = {
    "CHENU_IDENTITY_ARGON2_TIME_COST": "1",
    "CHENU_IDENTITY_ARGON2_MEMORY_KIB": "64",
    "CHENU_IDENTITY_REGISTRATIONS_PER_ADDRESS": "1000000",
}
_COMMITS: Final = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
_EVENTS: Final = "SELECT sum(last_value) FROM pg_sequences WHERE sequencename = 'outbox_seq_seq'"


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters at one moment; the difference of two is what happened between them."""

    cpu: Counter[str]
    """Seconds by process."""
    calls: Counter[str]
    """RPCs served, by method."""
    commits: int
    """Transactions of the fleet's database, those that only read too."""
    events: int
    """Audit events left in the outboxes."""

    def since(self, earlier: "Reading") -> "Reading":
        """What happened from the earlier moment to this one."""
        return Reading(
            Counter({k: v - earlier.cpu[k] for k, v in self.cpu.items()}),
            Counter({k: v - earlier.calls[k] for k, v in self.calls.items()}),
            self.commits - earlier.commits,
            self.events - earlier.events,
        )


class MeasuredStack:
    """A stack that is up."""

    def __init__(self, state: Path, ports: Ports, metrics: Mapping[str, int]) -> None:
        self._metrics = metrics
        self.addresses = {name: f"{HOST}:{port}" for name, port in ports.services.items()}
        backends = Backends(state, postgres_port=ports.postgres, nats_port=ports.nats)
        self.admin_url = database_url(backends.postgres.admin_url)
        self.nats_url = backends.nats.url
        servers: dict[str, Server] = {
            "PostgreSQL": backends.postgres,
            "NATS": backends.nats,
            "simulator": SimulatorProcess(state, ports.simulator),
        }
        for name, port in ports.services.items():
            servers[name] = ServiceProcess(name, state, port, {})
        self.processes = {name: psutil.Process(server.pid()) for name, server in servers.items()}

    async def read(self, others: Mapping[str, Sequence[int]] = MappingProxyType({})) -> Reading:
        """The counters now, with other processes' CPU; the database's may be a second behind."""
        cpu = Counter({name: _cpu(process) for name, process in self.processes.items()})
        for name, pids in others.items():
            cpu[name] = sum(_cpu(psutil.Process(pid)) for pid in pids)
        calls: Counter[str] = Counter()
        for port in self._metrics.values():
            calls += _calls(f"http://{HOST}:{port}/metrics")
        connection = await asyncpg.connect(self.admin_url)
        try:
            commits = await connection.fetchval(_COMMITS)
            events = await connection.fetchval(_EVENTS)
        finally:
            await connection.close()
        return Reading(cpu, calls, commits, int(events))


@contextmanager
def measured_stack(say: Say) -> Iterator[MeasuredStack]:
    """Start one on free ports; stop it and delete its folder."""
    state = Path(tempfile.mkdtemp(prefix="chenu-bench-"))
    ports = replace(Ports.free(), postgres=free_port(), nats=free_port())
    metrics = {service: free_port() for service in SERVICES}
    listen = {
        f"CHENU_{service.upper()}_METRICS_LISTEN": f"{HOST}:{port}"
        for service, port in metrics.items()
    }
    stack = Stack(state, ports, Choices(settings=_CHEAP_PASSWORDS | listen), say)
    try:
        stack.start()
        yield MeasuredStack(state, ports, metrics)
    finally:
        stack.stop()
        shutil.rmtree(state, ignore_errors=True)


def _cpu(process: psutil.Process) -> Any:  # a Counter holds fractions too, its type does not say so
    """With its children: those that live, and those that it has seen end."""
    times = process.cpu_times()
    used = times.user + times.system + times.children_user + times.children_system
    for child in process.children(recursive=True):
        try:
            spent = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        used += spent.user + spent.system
    return float(used)


def _calls(url: str) -> Counter[str]:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  the address is our own
        text = answer.read().decode()
    return Counter(
        {
            sample.labels["method"]: int(sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "chenu_calls_total"
        }
    )


def cores() -> int:
    """How many of the machine's cores these processes may use."""
    this = psutil.Process()
    return len(this.cpu_affinity()) if hasattr(this, "cpu_affinity") else psutil.cpu_count() or 1


def machine() -> str:
    """What the numbers were measured on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{cores()} cores ({models[0] if models else platform.machine()})"
