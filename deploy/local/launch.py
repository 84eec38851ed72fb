"""Becomes a server: gives up root, ties its life to its parent's, keeps the lock, executes.

Run as a program of its own (`python -I -S launch.py OPTIONS COMMAND…`), because
between fork and exec of a process with threads such work is not safe. OPTIONS
is a JSON object, see `deploy.local.daemon`.
"""

import ctypes
import json
import os
import struct
import sys
from pathlib import Path
from typing import Any

# From Linux's sched.h, prctl.h and capability.h.
CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION = 0x20080522


def enter_namespace(uid: int, gid: int) -> None:
    """Becomes `uid` within a user namespace in which the files of root are uid's."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) != 0:
        sys.exit(f"launch: no user namespace: {os.strerror(ctypes.get_errno())}")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} 0 1")
    Path("/proc/self/gid_map").write_text(f"{gid} 0 1")


def become(uid: int, gid: int) -> None:
    """Becomes another user for good, who still reaches folders that are root's alone.

    Where root itself has no such right to pass on, the check of what is
    needed tells.
    """
    libc = ctypes.CDLL(None)
    if sys.platform == "linux":
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if sys.platform == "linux":
        header = struct.pack("=Ii", CAPABILITY_VERSION, 0)
        reach = 1 << CAP_DAC_OVERRIDE
        libc.capset(header, struct.pack("=6I", reach, reach, reach, 0, 0, 0))
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def die_with(parent: int, signal: int) -> None:
    """Has the kernel send `signal` when the parent is gone, however it went."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal)
    if os.getppid() != parent:
        sys.exit("launch: the parent is gone already")


def main() -> None:
    """Does what the options say, in the order in which the kernel accepts it."""
    options: dict[str, Any] = json.loads(sys.argv[1])
    command = sys.argv[2:]
    if options.get("detached") and os.fork() != 0:
        os._exit(0)
    if "namespace" in options:
        enter_namespace(*options["namespace"])
    if "user" in options:
        become(*options["user"])
    # Only now: a change of user would make the kernel forget it.
    if "parent" in options and sys.platform == "linux":
        die_with(*options["parent"])
    effective = os.access in os.supports_effective_ids
    for path in (command[0], *options["needs"]):
        if not os.access(path, os.X_OK, effective_ids=effective):
            sys.exit(f"launch: user {os.getuid()} cannot reach {path}")
    if "lock" in options:
        os.ftruncate(options["lock"], 0)
        os.pwrite(options["lock"], str(os.getpid()).encode(), 0)
    os.execv(command[0], command)  # noqa: S606 (no shell is the point)


if __name__ == "__main__":
    main()
