"""Who is logged in: tokens and the session secret, in a file that only its owner reads."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from cli.problems import NOT_LOGGED_IN, Problem

MOST_SEEN = 200


@dataclass
class Session:
    """A log-in. Times are seconds since 1970."""

    email: str
    user_id: str
    tenant_id: str
    identity_id: str
    identity_name: str
    access_token: str
    access_expires: float
    refresh_token: str
    session_secret: str
    delegation_token: str = ""
    delegation_expires: float = 0.0
    seen: dict[str, str] = field(default_factory=dict)
    """Checkpoint id → digest of the view that was last shown here."""


class NotLoggedIn(Problem):
    """There is no session in this state folder."""

    def __init__(self, message: str = "nobody is logged in here") -> None:
        super().__init__(
            message, reason="NOT_LOGGED_IN", next_step="chenu login", exit_code=NOT_LOGGED_IN
        )


class SessionFile:
    """The file of one session."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Session:
        """The session; NotLoggedIn where there is none, or none that can be read."""
        try:
            document = json.loads(self.path.read_text())
            known = {one.name for one in fields(Session)}
            return Session(**{key: value for key, value in document.items() if key in known})
        except FileNotFoundError:
            raise NotLoggedIn from None
        except (ValueError, TypeError, AttributeError):
            raise NotLoggedIn(f"{self.path} is no session") from None

    def save(self, session: Session) -> None:
        """Write it, whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(session), file, indent=2)
        fresh.rename(self.path)

    def forget(self) -> None:
        """Remove it."""
        self.path.unlink(missing_ok=True)

    def note_seen(self, checkpoint_id: str, view_digest: str) -> None:
        """Remember what the person was shown, so that an approval is for exactly that."""
        with self.locked():
            session = self.load()
            session.seen.pop(checkpoint_id, None)
            session.seen[checkpoint_id] = view_digest
            for oldest in list(session.seen)[:-MOST_SEEN]:
                del session.seen[oldest]
            self.save(session)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One process at a time: a refresh token is good once."""
        lock = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
