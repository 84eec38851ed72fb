"""A server that knows nothing of CHE·NU yet: database, roles and schemas, and how to log in."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from deploy.local.secret_file import write_secret
from deploy.postgres.roles import (
    DATABASE,
    SERVICES,
    database_url,
    missing_logins,
    provision_database,
)

VARIABLES = {"app": "DATABASE_URL", "worker": "WORKER_DATABASE_URL"}
MAINTENANCE = "postgres"
"""The database of every server, to connect to before ours is there."""


async def make_missing(url: str, root: Path) -> list[Path]:
    """Make what the server of `url` lacks; the files that say how to log in to it.

    A login's password is that of its `CHENU_<SERVICE>_…DATABASE_URL` where the environment has
    one; else it is made here, and its URL written to `root/<service>/`. Nothing is changed, and
    no file written, where every login is there.
    """
    server, database = database_url(url, MAINTENANCE), urlsplit(url).path.lstrip("/")
    missing = await missing_logins(server)
    if not missing:
        return []
    passwords = {login: secrets.token_urlsafe(24) for login in missing}
    written = []
    for service in SERVICES:
        given = _given(service)
        passwords |= {login: word for login, word in given.items() if login in passwords}
        mine = {login: word for login, word in passwords.items() if login not in given}
        written += hand_over(root / service, service, url, mine)
        passwords |= mine
    await provision_database(server, passwords, database=database)
    return written


def hand_over(folder: Path, service: str, url: str, passwords: dict[str, str]) -> list[Path]:
    """Write a service's URLs of its own roles, as secret files named like their variables.

    What stands in a file already is what a running service holds: that password stays, and
    `passwords` is told of it.
    """
    server, written = urlsplit(url).netloc.rpartition("@")[2], []
    for kind, variable in VARIABLES.items():
        role = f"{service}_{kind}"
        if role not in passwords:
            continue
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"chenu_{service}_{variable}".lower()
        if path.exists():
            passwords[role] = urlsplit(path.read_text()).password or passwords[role]
        database = urlsplit(url).path.lstrip("/") or DATABASE
        write_secret(path, f"postgresql://{role}:{passwords[role]}@{server}/{database}")
        written.append(path)
    return written


def _given(service: str) -> Mapping[str, str]:
    """The passwords that the service itself would log in with."""
    urls = {
        f"{service}_{kind}": os.environ.get(f"CHENU_{service.upper()}_{variable}", "")
        for kind, variable in VARIABLES.items()
    }
    return {login: word for login, url in urls.items() if (word := urlsplit(url).password)}
