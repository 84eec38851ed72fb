"""A disk that can lose its power: ext4 in a file, mounted through a loop device. Needs root.

A cut is a copy of the backing file while the servers stand still: what they had
not brought to the disk is not in it. The copy is mounted in place of the disk,
which replays its journal, as after a power cut.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_TOOLS: Final = ("losetup", "mkfs.ext4", "mount", "umount", "cp")


def missing() -> str:
    """Why there can be no such disk here; empty where there can."""
    if os.geteuid() != 0:
        return "mounting a loop device needs root"
    for tool in _TOOLS:
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    if not Path("/dev/loop-control").exists():
        return "this machine has no loop devices"
    return ""


class Disk:
    """A mounted ext4 file system of its own."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self._file, self._cut = folder / "disk.ext4", folder / "cut.ext4"
        self.mounted = folder / "disk"
        folder.chmod(0o755)  # PostgreSQL has an account of its own
        self.mounted.mkdir()
        with self._file.open("wb") as made:
            made.truncate(megabytes << 20)
        _run("mkfs.ext4", "-q", "-F", self._file)
        self._mount()

    def copy(self) -> None:
        """Keep what is on the disk at this moment; nobody may be writing.

        The kernel still writes behind: a copy during which it did mixes two moments, and may
        lack what was on the disk in both. It is made again.
        """
        copied = None
        while copied != (now := self._file.stat().st_mtime_ns):
            copied = now
            time.sleep(0.02)  # a write within the clock tick of that look would not be seen
            _run("cp", "--sparse=always", self._file, self._cut)

    def cut_power(self) -> None:
        """Put what was kept in the place of the disk; nobody may have a file open."""
        for _ in range(100):  # a process that was killed closes its files a little later
            with suppress(subprocess.CalledProcessError):
                _run("umount", self.mounted)
                break
            time.sleep(0.1)
        else:
            raise RuntimeError(f"{self.mounted} stays busy; open: {_holders(self.mounted)}")
        self._cut.replace(self._file)
        self._mount()

    def close(self) -> None:
        """Unmount it."""
        _run("umount", "-l", self.mounted)

    def _mount(self) -> None:
        _run("mount", "-o", "loop", self._file, self.mounted)
        self.mounted.chmod(0o755)


@contextmanager
def standing_still(*pids: int) -> Iterator[None]:
    """These processes and their children, stopped between two instructions; then killed."""
    family = [*pids]
    for pid in pids:  # first: whoever stands still starts no further child
        os.kill(pid, signal.SIGSTOP)
    for child in (child for pid in pids for child in children(pid)):
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGSTOP)
            family.append(child)
    try:
        yield
    finally:
        # As they stand: a server that took one more step would commit on the disk of before,
        # and tell its client so.
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def unmount_below(folder: Path) -> None:
    """Let go of every disk that is mounted in a folder."""
    for line in Path("/proc/mounts").read_text().splitlines():
        place = Path(line.split()[1])
        if place.is_relative_to(folder):
            _run("umount", "-l", place)


def children(parent: int) -> list[int]:
    """The processes that this one has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(stat.parent.name))
    return found


def _holders(folder: Path) -> list[str]:
    """Which processes have something open there, to be told."""
    found = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if str(link.readlink()).startswith(str(folder)):
                found.append(f"{link} -> {link.readlink()}")
    return found


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)
