"""The two forms of an export that can be verified: every byte is either compared or hashed.

A record is written as the bytes that were hashed, in one line; docs/audit-formats.md has the rest.
"""

from base64 import b64encode
from collections.abc import Sequence
from typing import Final, Protocol

_ENVELOPE: Final = b'{"specversion":"1.0","type":"chenu.audit.export.'


class Lines(Protocol):
    """Writes an export, line by line."""

    def structure(self, kind: str, document: str) -> bytes:
        """A line that is no record: the "manifest", "indexes", a "tile"."""

    def record(self, index: int, leaf: bytes, path: Sequence[bytes] | None) -> bytes:
        """A record, with its inclusion path where each has its own."""


class Jsonl:
    """JSON lines: `{"index":7,"record":{…}}`."""

    def structure(self, kind: str, document: str) -> bytes:  # noqa: ARG002 - CloudEvents tell it
        return f"{document}\n".encode()

    def record(self, index: int, leaf: bytes, path: Sequence[bytes] | None) -> bytes:
        head = _place(index, path).encode()
        if _fits_a_line(leaf):
            return b'%b,"record":%b}\n' % (head, leaf)
        return b'%b,"bytes":"%b"}\n' % (head, b64encode(leaf))


class CloudEvents:
    """CloudEvents, one a line: each record is one already, and what proves them is put into others.

    Those begin with their attributes, so that no record can be taken for one.
    """

    def __init__(self, export: str) -> None:
        self._export, self._number = export, 0

    def structure(self, kind: str, document: str) -> bytes:
        self._number += 1
        return b'%b%b","source":"chenu/audit","id":"%b/%d","data":%b}\n' % (
            _ENVELOPE,
            kind.encode(),
            self._export.encode(),
            self._number,
            document.encode(),
        )

    def record(self, index: int, leaf: bytes, path: Sequence[bytes] | None) -> bytes:
        place = _place(index, path)
        if not _fits_a_line(leaf) or leaf.startswith(_ENVELOPE):
            return self.structure("record", f'{place},"bytes":"{b64encode(leaf).decode()}"}}')
        proof = self.structure("proof", f"{place}}}") if path is not None else b""
        return proof + leaf + b"\n"


def hashes_text(hashes: bytes) -> str:
    """Hashes as an export holds them."""
    return b64encode(hashes).decode()


def _place(index: int, path: Sequence[bytes] | None) -> str:
    if path is None:
        return f'{{"index":{index}'
    return f'{{"index":{index},"path":"{hashes_text(b"".join(path))}"'


def _fits_a_line(leaf: bytes) -> bool:
    """Whether it is an object of JSON text without a break; what is stored as an event is JSON."""
    return leaf[:1] == b"{" and leaf[-1:] == b"}" and b"\n" not in leaf and b"\r" not in leaf
