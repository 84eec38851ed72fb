"""A server process that can be found again, stopped and killed, by whoever started it or not."""

import errno
import fcntl
import os
import random
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.account import ENVIRONMENT, SELF, Account, launched
from deploy.local.errors import (
    AlreadyRunning,
    BackendError,
    BinariesMissing,
    DiskFull,
    FolderUnusable,
    PortTaken,
    StartFailed,
    explained,
)

HOST = "127.0.0.1"
_EPHEMERAL_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")


@dataclass(frozen=True, slots=True)
class Command:
    """What to execute, as whom, and which folders that account must reach."""

    arguments: Sequence[str | Path]
    account: Account = SELF
    needs: Sequence[Path] = field(default=())


class Server(ABC):
    """A server, its data in `folder`, and its port, which once chosen stays for the object's life.

    The process and its children hold a lock file open for as long as any of
    them lives, and its id stands in it: so "is it alive" never depends on an
    id that may by now be another program's.
    """

    name: str
    stop_signals: tuple[signal.Signals, ...]
    start_seconds: int
    environment: Mapping[str, str] = ENVIRONMENT

    def __init__(self, folder: Path, log: Path, *, port: int = 0) -> None:
        self.folder = folder.absolute()
        self.log = log.absolute()
        self.port = port
        self._any_port = not port
        self._lock = self.folder / "lock"
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def prepare(self) -> Command:
        """Makes what the server needs in `folder`; the lock is held."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether the process that was started does its work by now."""

    def start(self, *, detached: bool = False) -> None:
        """Starts the server and returns when it is ready; data is made on first use.

        Unless detached, call it from the main thread: on Linux the kernel ends
        the server with the thread that started it, even if that was killed.
        """
        for attempts_left in (4, 3, 2, 1, 0):
            self.port = self.port or free_port()
            try:
                self.begin(detached=detached)
                self.wait_until_ready()
            except PortTaken:
                # Between finding a free port and using it, someone was faster.
                if not (self._any_port and attempts_left):
                    raise
                self.port = 0
            else:
                return

    def begin(self, *, detached: bool = False) -> None:
        """Starts it on its port without waiting; `wait_until_ready` is the other half."""
        with explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self.locked() as lock:
                refuse_taken_port(self.name, self.port)
                self._spawn(self.prepare(), lock, detached)

    def wait_until_ready(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Returns when it does its work; raises what its last words mean when it ended instead."""
        end = time.monotonic() + self.start_seconds
        while not self.ready():
            meanwhile()
            if self._ended() or time.monotonic() > end:
                self.kill()
                raise self.failure(self._said())
            time.sleep(0.01)

    def stop(self) -> None:
        """Shuts down in order, by harder means if that takes too long."""
        self._end(*self.stop_signals, signal.SIGKILL)

    def signal_stop(self) -> None:
        """Asks it to stop and does not wait; `stop` is the other half."""
        pid = self.pid()
        if pid is not None and self.running():
            with suppress(ProcessLookupError):
                os.kill(pid, self.stop_signals[0])

    def kill(self) -> None:
        """Ends it as a crash would, and returns when all of it is gone."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stops and starts it on the same port."""
        self.stop()
        self.start()

    def running(self) -> bool:
        """Whether it, or a child that it left behind, is alive, whoever started it."""
        try:
            lock = os.open(self._lock, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(lock)

    def pid(self) -> int | None:
        """Its process id, or that of its last life."""
        try:
            return int(self._lock.read_text() or 0) or None
        except FileNotFoundError:
            return None

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Makes sure that no server runs here; a process started meanwhile inherits the lock."""
        lock = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning(self.name, self.folder, self.pid()) from None
            os.ftruncate(lock, 0)  # the id of an earlier process must not be taken for this one's
            yield lock
        finally:
            os.close(lock)

    def failure(self, said: str) -> BackendError:
        """The error that the server's last words mean."""
        if tells_of_full_disk(said):
            return DiskFull(self.folder)
        if "address already in use" in said.lower():
            return PortTaken(self.name, self.port)
        if said.startswith("launch: "):
            return FolderUnusable(self.folder, said.removeprefix("launch: "))
        return StartFailed(self.name, self.log, said)

    def _spawn(self, command: Command, lock: int, detached: bool) -> None:
        """Starts the process in a session of its own, so that Ctrl-C is ours to pass on."""
        self._reap()
        options = command.account.options() | {"detached": detached, "lock": lock}
        if not detached:
            options["parent"] = [os.getpid(), int(self.stop_signals[0])]
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                launched(command.arguments, options, needs=command.needs),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                start_new_session=True,
                env=dict(self.environment),
            )
        if detached:
            self._reap()

    def _end(self, *signals: signal.Signals) -> None:
        """Sends one signal after the other until nothing of the server is alive."""
        for number in signals:
            pid = self.pid()
            if pid is not None and self.running():
                with suppress(ProcessLookupError):  # its children are about to notice
                    os.kill(pid, number)
            if self._wait_for_end(seconds=30):
                break
        self._reap()

    def _wait_for_end(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while self.running():
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def _ended(self) -> bool:
        return not self.running() if self._process is None else self._process.poll() is not None

    def _reap(self) -> None:
        """Takes the exit status of a process that has ended, so that no zombie stays."""
        if self._process is not None:
            self._process.wait(timeout=10)
            self._process = None

    def _said(self) -> str:
        """The end of what the server has logged since it was last started."""
        with self.log.open("rb") as log:
            log.seek(max(self._log_start, self.log.stat().st_size - 4096))
            return log.read().decode(errors="replace").strip()


def tells_of_full_disk(said: str) -> bool:
    """Whether a program's last words mean that the disk is full."""
    return any(words in said.lower() for words in ("no space left on device", "free disk space"))


def free_port() -> int:
    """A port that no one listens on; someone else may take it before it is used."""
    # Below those that the kernel gives to outgoing connections: one of these would take the
    # port of a server that is down for a moment.
    end = max(_first_ephemeral_port(), 16384)
    while True:
        port = random.randrange(10_000, end)  # noqa: S311  nothing is kept secret by it
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port


def _first_ephemeral_port() -> int:
    try:
        return int(_EPHEMERAL_PORTS.read_text().split()[0])
    except OSError:
        return 32768  # not Linux; others begin higher


def refuse_taken_port(server: str, port: int) -> None:
    """Raises `PortTaken` where something listens on the port already."""
    with socket.socket() as probe:
        # As servers do; without it a port whose last connections are closing seems taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(server, port) from error
            raise BackendError(f"{server} cannot use port {port}: {error.strerror}") from error


def installed(server: str, package: str, program: Path | None) -> Path:
    """The program, if its package brought one for this platform."""
    if program is None or not program.exists():
        raise BinariesMissing(server, package)
    return program
