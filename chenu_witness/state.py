"""What a witness has seen, in one SQLite file: the newest head of each log, and evidence of forks.

A head is on disk before the signature on it leaves the process.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

FORK: Final = "fork"
NO_CONTINUATION: Final = "no continuation"
BEGUN_ANEW: Final = "begun anew"
MOST: Final = 1_000
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS heads (
    origin TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    note TEXT NOT NULL,
    time INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS evidence (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    origin TEXT NOT NULL,
    held TEXT NOT NULL,
    submitted TEXT NOT NULL,
    proof TEXT NOT NULL,
    time INTEGER NOT NULL,
    UNIQUE (held, submitted)
) STRICT;
"""


class State:
    """The file; used by one thread."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.executescript(_TABLES)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """What happens inside is done as one, also where a second process has the file open."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def head(self, origin: str) -> tuple[int, str]:
        """Size and note of the newest head that was cosigned; (0, "") where none was."""
        row = self._one("SELECT size, note FROM heads WHERE origin = ?", origin)
        return (row[0], row[1]) if row else (0, "")

    def remember(self, origin: str, size: int, note: str, time: int) -> None:
        """The newest head; nothing leads back from it."""
        self._database.execute(
            "INSERT INTO heads VALUES (?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE"
            " SET size = excluded.size, note = excluded.note, time = excluded.time"
            " WHERE excluded.size >= heads.size",
            (origin, size, note, time),
        )

    def begin_anew(self, origin: str, time: int) -> int:
        """Take the log's next head as its first, and keep that; how many records it had."""
        with self.alone():
            size, held = self.head(origin)
            if held:
                self.keep(BEGUN_ANEW, origin, held, "", "", time)
                self._database.execute("DELETE FROM heads WHERE origin = ?", (origin,))
        return size

    def keep(
        self, kind: str, origin: str, held: str, submitted: str, proof: str, time: int
    ) -> None:
        """Two heads that do not go together, whole: the log's own signature is on both.

        At most `MOST` of what convicts nobody by itself: whoever has a head can hand in more.
        """
        known = "SELECT count(*) FROM evidence WHERE kind = ? AND origin = ?"
        if kind == NO_CONTINUATION and self._one(known, kind, origin)[0] >= MOST:
            return
        self._database.execute(
            "INSERT INTO evidence (kind, origin, held, submitted, proof, time)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (kind, origin, held, submitted, proof, time),
        )

    def evidence(self) -> list[dict[str, Any]]:
        """Everything that was kept, the oldest first."""
        cursor = self._database.execute("SELECT * FROM evidence ORDER BY number")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _one(self, statement: str, *values: Any) -> Any:
        return self._database.execute(statement, values).fetchone()
