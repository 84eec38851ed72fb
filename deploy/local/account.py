"""Under which account PostgreSQL runs when we are root, which it refuses to be.

A user namespace comes first: within it our files belong to an ordinary user,
so that any folder will do. Where the kernel refuses namespaces (many
containers do), it is another user of the system, who must own the data, and
who is given the right to pass through folders that are root's alone.
"""

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.errors import RootRefused

LAUNCH = Path(__file__).with_name("launch.py")
# Without a locale PostgreSQL looks one up, which on macOS starts a thread and so fails.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}
PREFERRED = ("postgres", "nobody", "daemon")


@dataclass(frozen=True, slots=True)
class Account:
    """An account, and how a process gets there: the matching option of `launch`."""

    uid: int
    gid: int
    how: str

    def options(self) -> dict[str, Any]:
        """What to tell `launch`."""
        return {self.how: [self.uid, self.gid]} if self.how else {}

    def own(self, folder: Path) -> None:
        """Hands the folder to the account, where the account is another user's."""
        if self.how != "user":
            return
        for path in (folder, *folder.rglob("*")):
            os.chown(path, self.uid, self.gid)


SELF = Account(uid=0, gid=0, how="")  # whoever we are


def choose(folder: Path) -> Account:
    """The account that runs the server whose data lies in `folder`."""
    if os.geteuid() != 0:
        return SELF
    owner = folder.stat()
    if owner.st_uid != 0:  # what ran as another user goes on so
        return Account(owner.st_uid, owner.st_gid, "user")
    user = ordinary_user()
    how = "namespace" if namespaces_work(user) else "user"
    return Account(user.pw_uid, user.pw_gid, how)


def ordinary_user() -> pwd.struct_passwd:
    """A user that is not root; initdb insists on one with a name."""
    users = {user.pw_name: user for user in pwd.getpwall() if user.pw_uid != 0}
    if not users:
        raise RootRefused("this machine has no other user")
    return next((users[name] for name in PREFERRED if name in users), next(iter(users.values())))


def namespaces_work(user: pwd.struct_passwd) -> bool:
    """Whether the kernel lets us make a user namespace; found out by making one."""
    if sys.platform != "linux":
        return False
    account = Account(user.pw_uid, user.pw_gid, "namespace")
    return run_as(account, [sys.executable, "-I", "-S", "-c", "pass"]).returncode == 0


def run_as(
    account: Account, command: Sequence[str | Path], needs: Sequence[Path] = ()
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end as that account; what it said is in `stdout`."""
    return subprocess.run(
        launched(command, account.options(), needs=needs),
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=ENVIRONMENT,
    )


def launched(
    command: Sequence[str | Path], options: Mapping[str, Any], *, needs: Sequence[Path] = ()
) -> list[str]:
    """The command line by which `launch` becomes `command`."""
    given = json.dumps({**options, "needs": [str(path) for path in needs]})
    return [sys.executable, "-I", "-S", str(LAUNCH), given, *map(str, command)]
