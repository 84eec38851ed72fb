"""The two servers that the fleet stands on, in one state folder: for tests and for `chenu up`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.nats_server import NatsServer
from deploy.local.postgres_server import PostgresServer


class Backends:
    """PostgreSQL and NATS of a state folder, running or not."""

    def __init__(self, state: Path, *, postgres_port: int = 0, nats_port: int = 0) -> None:
        logs = state / "logs"
        self.postgres = PostgresServer(
            state / "postgres", logs / "postgres.log", port=postgres_port
        )
        self.nats = NatsServer(state / "nats", logs / "nats.log", port=nats_port)

    def start(self, *, detached: bool = False) -> None:
        """Starts both, or neither; detached ones outlive this process."""
        self.nats.start(detached=detached)
        try:
            self.postgres.start(detached=detached)
        except BaseException:
            self.nats.stop()
            raise

    def stop(self) -> None:
        """Stops what runs of both, whoever started it."""
        try:
            self.postgres.stop()
        finally:
            self.nats.stop()


@contextmanager
def running_backends(
    state: Path, *, postgres_port: int = 0, nats_port: int = 0
) -> Iterator[Backends]:
    """Both, for as long as the block lasts; a port of 0 is any free one."""
    backends = Backends(state, postgres_port=postgres_port, nats_port=nats_port)
    backends.start()
    try:
        yield backends
    finally:
        backends.stop()
