"""What can keep a server from starting, each with the next step to take."""

import errno
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class BackendError(Exception):
    """A local server cannot run; the message says what to do about it."""


class PortTaken(BackendError):
    """Another program listens on the port."""

    def __init__(self, server: str, port: int) -> None:
        super().__init__(
            f"Port {port} on 127.0.0.1 is taken by another program, so {server} cannot start:"
            f" stop that program, or give {server} another port."
        )
        self.port = port


class DiskFull(BackendError):
    """The disk that holds the state folder has no room left."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"The disk that holds {folder} is full: free some space there, or put the state"
            " folder on another disk. Nothing that was acknowledged is lost."
        )


class NoRoomForStream(BackendError):
    """NATS would refuse the stream of audit bundles, and only its log would say so."""

    def __init__(self, folder: Path, wanted: int, given: int) -> None:
        super().__init__(
            f"NATS would refuse the stream of audit bundles: it may grow to {wanted >> 20} MiB, and"
            f" NATS has {max(given, 0) >> 20} MiB for streams, three quarters of what is free where"
            f" {folder} is. Free some space there, put the state folder on another disk, or set"
            " CHENU_NATS_MAX_BYTES lower."
        )


class FolderUnusable(BackendError):
    """The state folder cannot be read or written."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(
            f"{folder} cannot be used ({reason}): give this user the right to write there,"
            " or choose another state folder."
        )


class AlreadyRunning(BackendError):
    """A server of the same state folder is alive."""

    def __init__(self, server: str, folder: Path, pid: int | None) -> None:
        super().__init__(
            f"{server} of {folder} already runs (process {pid or 'unknown'}): use it, or stop it"
            " first with `make down`."
        )
        self.pid = pid


class BinariesMissing(BackendError):
    """No binary of the server is installed for this platform."""

    def __init__(self, server: str, package: str) -> None:
        here = f"{platform.system()} {platform.machine()}"
        super().__init__(
            f"No {server} for this platform ({here}): the package {package} is not installed"
            f" or has no binaries for it. Run `make`, or use a {server} of your own by its URL."
        )


class RootRefused(BackendError):
    """PostgreSQL refuses root, and there is no other user to run it as."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"PostgreSQL does not run as root, and {reason}: run this as an ordinary user, or"
            " use a PostgreSQL of your own by its URL."
        )


class StartFailed(BackendError):
    """The server ended, or said nothing, before it was ready."""

    def __init__(self, server: str, log: Path, said: str) -> None:
        super().__init__(f"{server} did not start; {log} ends with:\n{said or '(nothing)'}")


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turns what the file system refuses within `folder` into an error with a next step."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(folder) from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}:
            raise FolderUnusable(folder, str(error.strerror)) from error
        raise
