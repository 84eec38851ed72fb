"""Reading the two verifiable forms of an export; every byte that is not hashed is compared.

What is read is written again in the one way in which an export writes it, and must come out the
same: so no change hides in a space, an order of names, or a second spelling of a hash.
"""

import json
from base64 import b64decode, b64encode
from typing import Any, BinaryIO, Final

from cli.verification.tiles import HASH_BYTES
from cli.verification.verdict import Malformed, Tampered

_ENVELOPE: Final = b'{"specversion":"1.0","type":"chenu.audit.export.'
_LONGEST: Final = 4 << 20
_PATH: Final = b',"path":"'
_RECORD: Final = b',"record":'
_BYTES: Final = b',"bytes":"'
_UNVERIFIABLE: Final = "was not made to be verified: export it as jsonl or cloudevents"


class JsonLines:
    """JSON lines."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.next_index: int | None = None
        """The record that comes next, to say where something is wrong."""

    def structure(self, kind: str) -> dict[str, Any]:
        """The next line, which is no record."""
        return self._document(self.line(), kind)

    def record(self, index: int, *, path: bool) -> tuple[bytes, list[bytes]]:
        """The bytes of the record that comes next, and its path where each has its own."""
        return self._record(self.line(), index, path=path)

    def end(self) -> None:
        """Raise Tampered unless there is nothing more."""
        if self._stream.read(1):
            raise Tampered(self.next_index, "the file goes on where the export ends")

    def line(self) -> bytes:
        """The next line, its end included."""
        line = self._stream.readline(_LONGEST)
        if not line.endswith(b"\n"):
            raise self.wrong("the file ends before it" if len(line) < _LONGEST else "too long")
        return line

    def wrong(self, what: str) -> Tampered:
        """Something is wrong where the reading is."""
        return Tampered(self.next_index, what)

    def _document(self, text: bytes, kind: str) -> dict[str, Any]:
        try:
            document = json.loads(text)
            same = f"{canonical(document)}\n".encode() == text and isinstance(document, dict)
        except (ValueError, RecursionError):
            same, document = False, {}
        if not same:
            raise self.wrong(f"a line of {kind} that is not as an export writes it")
        return document  # type: ignore[no-any-return]

    def _record(self, line: bytes, index: int, *, path: bool) -> tuple[bytes, list[bytes]]:
        head = b'{"index":%d' % index
        rest = line[len(head) : -2]
        if not (line.startswith(head) and line.endswith(b"}\n")):
            raise self.wrong("another line stands in its place")
        hashes: list[bytes] = []
        if path:
            text, quote, after = rest.removeprefix(_PATH).partition(b'"')
            if not rest.startswith(_PATH) or not quote:
                raise self.wrong("its path is missing")
            hashes, rest = self._path(text), after
        if rest.startswith(_RECORD):
            return rest[len(_RECORD) :], hashes
        if rest.startswith(_BYTES) and rest.endswith(b'"'):
            return self.decoded(rest[len(_BYTES) : -1]), hashes
        raise self.wrong("its line is not as an export writes it")

    def _path(self, text: bytes) -> list[bytes]:
        joined = self.decoded(text) if text else b""
        if len(joined) % HASH_BYTES:
            raise self.wrong("its path is not made of hashes")
        return [joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES)]

    def decoded(self, text: bytes) -> bytes:
        """Base64 in its one spelling."""
        try:
            raw = b64decode(text, validate=True)
        except ValueError:
            raw = b""
        if b64encode(raw) != text:
            raise self.wrong("something that should be base64 is not")
        return raw


class CloudEventLines(JsonLines):
    """CloudEvents, one a line."""

    def __init__(self, stream: BinaryIO, export: str) -> None:
        super().__init__(stream)
        self._export, self._number = export, 0

    def structure(self, kind: str) -> dict[str, Any]:
        return self._document(self._unwrapped(self.line(), kind), kind)

    def record(self, index: int, *, path: bool) -> tuple[bytes, list[bytes]]:
        line = self.line()
        if line.startswith(_ENVELOPE + b'record"'):
            return self._record(self._unwrapped(line, "record"), index, path=path)
        if not path:
            return line[:-1], []
        proof = self._unwrapped(line, "proof")
        if not proof.endswith(b"}\n"):
            raise self.wrong("its proof is not as an export writes it")
        leaf = self.line()[:-1]
        return self._record(proof[:-2] + _RECORD + leaf + b"}\n", index, path=True)

    def _unwrapped(self, line: bytes, kind: str) -> bytes:
        self._number += 1
        head = b'%b%b","source":"chenu/audit","id":"%b/%d","data":' % (
            _ENVELOPE,
            kind.encode(),
            self._export.encode(),
            self._number,
        )
        if not (line.startswith(head) and line.endswith(b"}\n")):
            raise self.wrong(f"another line stands where the event of its {kind} belongs")
        return line[len(head) : -2] + b"\n"


def open_export(stream: BinaryIO) -> JsonLines:
    """What reads this file from its first line on; Malformed where it is no export."""
    first = stream.readline(_LONGEST)
    stream.seek(0)
    if first.startswith(b"manifest,"):
        raise Malformed(f"a CSV export {_UNVERIFIABLE}")
    try:
        document = json.loads(first)
        wrapped = first.startswith(_ENVELOPE)
        manifest = document["data"]["manifest"] if wrapped else document["manifest"]
        form, export = str(manifest["format"]), str(manifest["export"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Malformed("this is no export: its first line is no manifest") from None
    if form == "ocsf":
        raise Malformed(f"an OCSF export {_UNVERIFIABLE}")
    return CloudEventLines(stream, export) if wrapped else JsonLines(stream)


def canonical(document: Any) -> str:
    """JSON as an export writes it."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
