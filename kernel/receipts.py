"""What a receipt is checked with: RFC 6962 hashing, inclusion proofs, C2SP signed notes.

Pure, and in the kernel because both ends need it: audit makes receipts, every source checks them
before it deletes what it had kept. The log itself (tiles, proofs) is `services.audit.tree`.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

EMPTY_ROOT = sha256().digest()
ED25519 = b"\x01"
MAXIMUM_SIGNATURES = 100  # the specification asks for at least 16
MAXIMUM_NOTE_LENGTH = 1_000_000

KEY_NAME = r"([^\s+\x00-\x1f]+)"
_BASE64 = r"([A-Za-z0-9+/]+={0,2})"
_SIGNATURE_LINE = re.compile(f"— {KEY_NAME} {_BASE64}")
_VERIFIER_KEY = re.compile(rf"{KEY_NAME}\+([0-9a-f]{{8}})\+{_BASE64}")
_TREE_HEAD = re.compile(rf"{KEY_NAME}\n(0|[1-9][0-9]{{0,17}})\n{_BASE64}\n")
_CONTROL_CHARACTER = re.compile(r"[\x00-\x09\x0b-\x1f]")


class ReceiptInvalid(ValueError):
    """A proof that does not lead to the root, or a note that no trusted key vouches for."""


def leaf_hash(leaf: bytes) -> bytes:
    """Hash of a log entry, from its bytes as they are stored."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of two neighbouring subtrees."""
    return sha256(b"\x01" + left + right).digest()


def join_peaks(peaks: Sequence[bytes]) -> bytes:
    """Root over complete subtrees, the largest first."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for left in reversed(peaks[:-1]):
        root = node_hash(left, root)
    return root


def peaks_of(hashes: Iterable[bytes]) -> list[bytes]:
    """The complete subtrees over these hashes, the largest first."""
    peaks: list[bytes] = []
    for count, hashed in enumerate(hashes, start=1):
        peaks.append(hashed)
        for _ in range((count & -count).bit_length() - 1):  # the subtrees that it completes
            right = peaks.pop()
            peaks[-1] = node_hash(peaks[-1], right)
    return peaks


def root_of(leaf_hashes: Iterable[bytes]) -> bytes:
    """Root of the tree over these leaf hashes, as in a bundle's manifest."""
    return join_peaks(peaks_of(leaf_hashes))


def check_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> None:
    """Raise ReceiptInvalid unless the leaf hash is entry `index` of the tree (`size`, `root`)."""
    if not 0 <= index < size:
        raise ReceiptInvalid(f"entry {index} is not in a tree of {size}")
    position, last, reached = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ReceiptInvalid("the path is too long")
        if position & 1 or position == last:
            reached = node_hash(sibling, reached)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            reached = node_hash(reached, sibling)
        position, last = position >> 1, last >> 1
    if last or reached != root:
        raise ReceiptInvalid("the path does not lead to the root")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A trusted Ed25519 key under the name that it signs with."""

    name: str
    public_key: bytes

    @property
    def id(self) -> bytes:
        """Tells keys of one name apart; only four bytes, so no fingerprint."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public_key).digest()[:4]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `name+id+key`, the form in which a key is pinned."""
        name, key_id, encoded = _match(_VERIFIER_KEY, text)
        raw = _decode(encoded)
        key = cls(name, raw[1:])
        if len(raw) != 33 or raw[:1] != ED25519 or key.id.hex() != key_id:
            raise ReceiptInvalid("the key is not Ed25519, or its id belongs to another")
        return key

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(ED25519 + self.public_key).decode()}"


@dataclass(frozen=True, slots=True)
class TreeHead:
    """The state of a log: `root` over its first `size` entries."""

    origin: str
    size: int
    root: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a tree head's note text; extension lines are refused, nobody vouches for them."""
        origin, size, root = _match(_TREE_HEAD, text)
        head = cls(origin, int(size), _decode(root))
        if len(head.root) != len(EMPTY_ROOT):
            raise ReceiptInvalid("the root is no SHA-256")
        return head

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


def split_note(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """The note's text and its (key name, key id, signature) lines, none of them verified yet."""
    text, blank, lines = note.rpartition("\n\n")
    if not blank or not lines.endswith("\n") or len(note) > MAXIMUM_NOTE_LENGTH:
        raise ReceiptInvalid("not a signed note, or too long")
    if _CONTROL_CHARACTER.search(note):
        raise ReceiptInvalid("the note holds a control character")
    signatures = []
    for line in lines[:-1].split("\n", MAXIMUM_SIGNATURES - 1):
        name, encoded = _match(_SIGNATURE_LINE, line)
        raw = _decode(encoded)
        if len(raw) < 5:
            raise ReceiptInvalid("a signature line without a signature")
        signatures.append((name, raw[:4], raw[4:]))
    return text + "\n", signatures


def open_note(note: str, keys: Sequence[VerifierKey]) -> str:
    """The note's text, once a trusted key vouches for it; signatures of other keys are ignored."""
    text, signatures = split_note(note)
    vouched = False
    for name, key_id, signature in signatures:
        for key in keys:
            if (key.name, key.id) == (name, key_id):
                _verify(key, signature, text)
                vouched = True
    if not vouched:
        raise ReceiptInvalid("no trusted key signed the note")
    return text


def open_tree_head(note: str, keys: Sequence[VerifierKey]) -> TreeHead:
    """The tree head in a note, signed by one of the log's own keys: those named by its origin."""
    head = TreeHead.parse(split_note(note)[0])
    open_note(note, [key for key in keys if key.name == head.origin])
    return head


def _verify(key: VerifierKey, signature: bytes, text: str) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, text.encode())
    except (InvalidSignature, ValueError) as error:
        raise ReceiptInvalid(f"the signature of {key.name} is wrong") from error


def _match(pattern: re.Pattern[str], text: str) -> tuple[str, ...]:
    found = pattern.fullmatch(text)
    if found is None:
        raise ReceiptInvalid("malformed")
    return found.groups()


def _decode(encoded: str) -> bytes:
    try:
        raw = b64decode(encoded, validate=True)
    except ValueError as error:
        raise ReceiptInvalid("not base64") from error
    if b64encode(raw).decode() != encoded:  # so that no signature has two spellings
        raise ReceiptInvalid("base64 in a form that is not canonical")
    return raw
