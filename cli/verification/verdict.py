"""What a check comes to: what was checked, on whose word, and the first thing that is wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from cli.problems import FAILED, OK

Progress = Callable[[str, int, int], None]


class Trust(StrEnum):
    """Which key the result rests on."""

    PINNED = "pinned"
    """One that was written down beforehand."""
    EMBEDDED = "embedded"
    """One that came with what was checked: it vouches for itself."""
    NONE = "none"
    """No signature was checked."""


INCOMPLETE = 5
EXIT_CODES = {Trust.PINNED: OK, Trust.EMBEDDED: 3, Trust.NONE: 4}
MALFORMED = 2


class Tampered(Exception):
    """Something is not what was signed; `index` is the first record that is concerned.

    Where that is not known exactly, it is one of those from `index` to `last`.
    """

    def __init__(self, index: int | None, what: str, last: int | None = None) -> None:
        place = f"record {index}: "
        if last not in (None, index):
            place = f"one of the records {index} to {last}, the first that is not as signed: "
        super().__init__(what if index is None else place + what)
        self.index, self.what, self.last = index, what, index if last is None else last


class Malformed(Exception):
    """Nothing that can be checked."""


@dataclass
class Verdict:
    """The result of one check."""

    what: str
    trust: Trust = Trust.NONE
    size: int = 0
    root: bytes = b""
    key: str = ""
    hashes: int = 0
    records: int = 0
    witnesses: Sequence[str] = ()
    first_bad: int | None = None
    first_bad_latest: int | None = None
    """The first record that is wrong is one of those from `first_bad` to this."""
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """What the log itself says should be there and is not; nothing of it was changed."""
    notes: list[str] = field(default_factory=list)

    def add(self, problem: Tampered) -> None:
        """Note what is wrong."""
        self.problems.append(str(problem))
        if problem.index is not None and (self.first_bad is None or problem.index < self.first_bad):
            self.first_bad, self.first_bad_latest = problem.index, problem.last

    @property
    def exit_code(self) -> int:
        """0 only where everything is right and there, by a key that was pinned beforehand."""
        if self.problems:
            return FAILED
        return EXIT_CODES[self.trust] or (INCOMPLETE if self.warnings else OK)

    def document(self) -> dict[str, object]:
        """For programs."""
        return {
            "checked": self.what,
            "verified": not self.problems and self.trust is Trust.PINNED,
            "trust": str(self.trust),
            "pinned": self.trust is Trust.PINNED,
            "problems": self.problems,
            "warnings": self.warnings,
            "first_bad_index": _text(self.first_bad),
            "first_bad_index_latest": _text(self.first_bad_latest),
            "size": str(self.size),
            "root": self.root.hex(),
            "leaf_hashes_checked": str(self.hashes),
            "entries_checked": str(self.records),
            "witnesses": list(self.witnesses),
            "key": self.key,
            "notes": self.notes,
        }


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
