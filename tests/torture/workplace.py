"""A folder to torture in, and the end of what a run that was killed has left in its own."""

import fcntl
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.torture.disk import children, unmount_below

_PREFIX: Final = "chenu-torture-"
_OWNER: Final = "owner"


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder of this run's own, gone afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name,
        (Path(name) / _OWNER).open("w") as owner,
    ):
        fcntl.flock(owner, fcntl.LOCK_EX)  # let go of by the system, however this run ends
        yield Path(name)


def clear_leftovers() -> list[Path]:
    """End the servers, unmount the disks and remove the folders of runs that are no more."""
    owners = Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_OWNER}")
    found = [owner.parent for owner in owners if not _held(owner)]
    for folder in found:
        for lock in folder.rglob("lock"):
            if _held(lock):
                _end(int(lock.read_text() or 0))
        unmount_below(folder)
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _end(pid: int) -> None:
    """With its children: who was stopped in the middle of a cut hears nothing gentler."""
    for one in [*children(pid), pid] if pid > 1 else []:
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.02)


def _held(file: Path) -> bool:
    """Whether somebody alive has locked it."""
    with file.open() as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
