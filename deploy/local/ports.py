"""Where everything of a local stack listens."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from deploy.local.server import free_port

DEFAULT_PORTS: Final = {
    "identity": 50050,
    "threads": 50051,
    "governance": 50052,
    "audit": 50053,
    "nova": 50054,
    "llm": 50055,
    "courier": 50057,
    "gateway": 8080,
}
# Behind a first port: the services in their usual order, the gateway, what lies beneath them.
_OFFSETS: Final = {name: port - 50050 for name, port in DEFAULT_PORTS.items()} | {
    "gateway": 8,
    "simulator": 9,
    "postgres": 10,
    "nats": 11,
    "witness": 12,
}
ROW: Final = len(_OFFSETS) + 1
"""How many ports in a row a stack takes; spheres' one is kept free."""


def is_ours(first: int | None, port: int) -> bool:
    """Whether a port of `Ports.choose(first)` was chosen here, so that another does as well."""
    return first == 0 or (first is None and port not in DEFAULT_PORTS.values())


@dataclass(frozen=True, slots=True)
class Ports:
    """The port of each part; 0 for PostgreSQL and NATS means any free one."""

    services: Mapping[str, int]
    simulator: int
    postgres: int = 0
    nats: int = 0
    witness: int = 0

    def named(self) -> dict[str, int]:
        """By what listens there."""
        beneath = {
            "simulator": self.simulator,
            "PostgreSQL": self.postgres,
            "NATS": self.nats,
            "witness": self.witness,
        }
        return {**self.services, **beneath}

    @classmethod
    def choose(cls, first: int | None) -> "Ports":
        """The usual ones (None), a row from `first`, or free ones throughout (0)."""
        if first is None:
            return cls(DEFAULT_PORTS, free_port(), witness=free_port())
        if first == 0:
            return cls.free()
        ports = {name: first + offset for name, offset in _OFFSETS.items()}
        services = {name: ports[name] for name in DEFAULT_PORTS}
        return cls(services, ports["simulator"], ports["postgres"], ports["nats"], ports["witness"])

    @classmethod
    def free(cls) -> "Ports":
        """Free ones throughout, for tests and the demo."""
        chosen: list[int] = []
        while len(chosen) < len(DEFAULT_PORTS) + 2:
            port = free_port()
            if port not in chosen:
                chosen.append(port)
        return cls(dict(zip(DEFAULT_PORTS, chosen, strict=False)), chosen[-1], witness=chosen[-2])
