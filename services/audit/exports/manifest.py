"""The first record of an export: what it holds, signed by the log's key."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from services.audit.note import NoteSigner, sign_note

VERSION: Final = "chenu.export.v1"
_LINE: Final = 32_768


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entries an export holds: their indexes as ranges, "0-41,43", in pieces of a line."""

    count: int
    pieces: Sequence[str]

    @classmethod
    def of(cls, indexes: Iterable[int]) -> "Selection":
        """From indexes in ascending order."""
        count, pieces, line = 0, [], ""
        for first, last in _ranges(indexes):
            count += last - first + 1
            text = str(first) if first == last else f"{first}-{last}"
            if line and len(line) + len(text) >= _LINE:
                pieces.append(line)
                line = ""
            line += f",{text}" if line else text
        return cls(count, [*pieces, line] if line else pieces)

    @property
    def digest(self) -> str:
        """What the manifest says of them."""
        return "sha256:" + sha256(",".join(self.pieces).encode()).hexdigest()


def canonical(document: Mapping[str, Any]) -> str:
    """JSON with sorted names and no space: RFC 8785, for texts and whole numbers."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def signed(manifest: Mapping[str, Any], signers: Sequence[NoteSigner]) -> str:
    """The manifest's line: itself, and the signatures of a note (C2SP) that has it as its text."""
    text = canonical(manifest) + "\n"
    signatures = sign_note(text, signers).removeprefix(f"{text}\n")
    return canonical({"manifest": dict(manifest), "signatures": signatures})


def _ranges(indexes: Iterable[int]) -> Iterator[tuple[int, int]]:
    first = last = -1
    for index in indexes:
        if index != last + 1 or first < 0:
            if first >= 0:
                yield first, last
            first = index
        last = index
    if first >= 0:
        yield first, last
