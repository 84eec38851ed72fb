"""Decides whether a tree head is cosigned (C2SP tlog-witness, tlog-cosignature)."""

import re
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chenu_witness.state import FORK, NO_CONTINUATION, State
from kernel.receipts import (
    COSIGNATURE,
    ED25519,
    ReceiptInvalid,
    TreeHead,
    VerifierKey,
    check_consistency,
    cosigned,
    open_note,
    split_note,
)

_REQUEST: Final = re.compile(r"old (0|[1-9][0-9]{0,17})\n((?:[A-Za-z0-9+/]{43}=\n){0,63})\n")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: str
    media_type: str = "text/plain"


@dataclass(frozen=True, slots=True)
class Cosigner:
    """The witness's key, and the name that it signs under."""

    name: str
    private_key: Ed25519PrivateKey

    @property
    def verifier_key(self) -> VerifierKey:
        """What others pin to check its cosignatures."""
        return VerifierKey(self.name, self.private_key.public_key().public_bytes_raw(), COSIGNATURE)

    def signature_line(self, text: str, seconds: int) -> str:
        """The line that says: at that time this was the largest tree that I had seen."""
        signature = self.private_key.sign(cosigned(seconds, text).encode())
        raw = self.verifier_key.id + seconds.to_bytes(8) + signature
        return f"— {self.name} {b64encode(raw).decode()}\n"


class Witness:
    """Takes heads of the logs whose keys `keys` gives out."""

    def __init__(
        self, cosigner: Cosigner, state: State, keys: Callable[[], Sequence[VerifierKey]]
    ) -> None:
        self._cosigner, self._state, self._keys = cosigner, state, keys

    def add_checkpoint(self, request: str) -> Answer:
        """Cosign the head in the request if it continues what was seen; else say why not."""
        found = _REQUEST.match(request)
        if found is None:
            return Answer(400, "not a request to add a checkpoint\n")
        old_size, note = int(found[1]), request[found.end() :]
        proof = [b64decode(line) for line in found[2].splitlines()]
        try:
            head = TreeHead.parse(split_note(note)[0])
        except ReceiptInvalid as error:
            return Answer(400, f"not a checkpoint: {error}\n")
        keys = [key for key in self._keys() if key.kind == ED25519 and key.name == head.origin]
        if not keys:
            return Answer(404, "a log that is not known here\n")
        try:
            open_note(note, keys)
        except ReceiptInvalid as error:
            return Answer(403, f"{error}\n")
        if old_size > head.size:
            return Answer(400, "the old size is larger than the checkpoint's\n")
        with self._state.alone():
            return self._decide(head, _signed_by(keys, note), old_size, proof)

    def _decide(self, head: TreeHead, note: str, old_size: int, proof: Sequence[bytes]) -> Answer:
        now = int(time.time())
        size, held = self._state.head(head.origin)
        before = TreeHead.parse(split_note(held)[0]) if held else None
        if before is not None and head.size == size and head.root != before.root:
            # Two signatures of the log on two trees of one size: that alone convicts it.
            self._state.keep(FORK, head.origin, held, note, "", now)
            return _conflict(size)
        if old_size != size:
            return _conflict(size)
        try:
            _check(before, head, proof)
        except ReceiptInvalid as error:
            if held:  # kept, though it convicts nobody: who handed it in may have spoilt the proof
                lines = "".join(f"{b64encode(one).decode()}\n" for one in proof)
                self._state.keep(NO_CONTINUATION, head.origin, held, note, lines, now)
            return Answer(422, f"{error}\n")
        self._state.remember(head.origin, head.size, note, now)
        text = split_note(note)[0]
        return Answer(200, self._cosigner.signature_line(text, now))


def _signed_by(keys: Sequence[VerifierKey], note: str) -> str:
    """The note with the signatures of these keys alone: anybody may have added others."""
    text, signatures = split_note(note)
    known = {(key.name, key.id) for key in keys}
    lines = dict.fromkeys(
        f"— {name} {b64encode(key_id + signature).decode()}\n"
        for name, key_id, signature in signatures
        if (name, key_id) in known
    )
    return f"{text}\n{''.join(lines)}"


def _check(before: TreeHead | None, head: TreeHead, proof: Sequence[bytes]) -> None:
    if before is not None:
        check_consistency(before.size, head.size, before.root, head.root, proof)
    elif proof:
        raise ReceiptInvalid("a proof where there is nothing yet to continue from")


def _conflict(size: int) -> Answer:
    return Answer(409, f"{size}\n", "text/x.tlog.size")
