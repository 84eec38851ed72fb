"""What a receipt is checked with: RFC 6962 hashing and proofs, C2SP signed notes.

Pure, and in the kernel because both ends need it: audit makes receipts, every source checks them
before it deletes what it had kept; a witness and whoever verifies the log check with it as well.
The log itself (tiles, proofs) is `services.audit.tree`.
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
COSIGNATURE = b"\x04"
MAXIMUM_SIGNATURES = 100  # the specification asks for at least 16
MAXIMUM_NOTE_LENGTH = 1_000_000

KEY_NAME = r"([^\s+\x00-\x1f]+)"
_BASE64 = r"([A-Za-z0-9+/]+={0,2})"
_SIGNATURE_LINE = re.compile(f"— {KEY_NAME} {_BASE64}")
_VERIFIER_KEY = re.compile(rf"{KEY_NAME}\+([0-9a-f]{{8}})\+{_BASE64}")
_SUCCESSION = re.compile(r"chenu\.log\.succession\.v1\n([^\n]+)\n")
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


def check_consistency(
    old_size: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]
) -> None:
    """Raise ReceiptInvalid unless `proof` shows that the old tree is where the new one began."""
    if not 0 <= old_size <= size:
        raise ReceiptInvalid(f"a tree of {size} has no earlier state of {old_size}")
    if old_size in (0, size):
        if proof or old_root != (root if old_size == size else EMPTY_ROOT):
            raise ReceiptInvalid("the roots differ, or a proof where none is needed")
        return
    rest = iter([old_root, *proof] if old_size & (old_size - 1) == 0 else proof)
    position, last = _halve_while_odd(old_size - 1, size - 1)
    reached_old = reached = next(rest, b"")
    for sibling in rest:
        if last == 0:
            raise ReceiptInvalid("the proof is too long")
        if position & 1 or position == last:
            reached_old = node_hash(sibling, reached_old)
            reached = node_hash(sibling, reached)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            reached = node_hash(reached, sibling)
        position, last = position >> 1, last >> 1
    if last or (reached_old, reached) != (old_root, root):
        raise ReceiptInvalid("the proof does not lead to both roots")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A trusted Ed25519 key under the name that it signs with.

    Of kind ED25519 it signs texts, as a log does; of kind COSIGNATURE tree heads and when it
    saw them, as a witness does. Neither can pass for the other: the kind is part of the id.
    """

    name: str
    public_key: bytes
    kind: bytes = ED25519

    @property
    def id(self) -> bytes:
        """Tells keys of one name apart; only four bytes, so no fingerprint."""
        return sha256(self.name.encode() + b"\n" + self.kind + self.public_key).digest()[:4]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `name+id+key`, the form in which a key is pinned."""
        name, key_id, encoded = _match(_VERIFIER_KEY, text)
        raw = _decode(encoded)
        key = cls(name, raw[1:], raw[:1])
        if len(raw) != 33 or key.kind not in (ED25519, COSIGNATURE) or key.id.hex() != key_id:
            raise ReceiptInvalid("the key is not Ed25519, or its id belongs to another")
        return key

    def verify(self, signature: bytes, text: str) -> None:
        """Raise ReceiptInvalid unless this key made the signature on a note's text."""
        signed = text
        if self.kind == COSIGNATURE:
            signed, signature = cosigned(cosignature_time(signature), text), signature[8:]
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, signed.encode())
        except (InvalidSignature, ValueError) as error:
            raise ReceiptInvalid(f"the signature of {self.name} is wrong") from error

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(self.kind + self.public_key).decode()}"


def cosigned(seconds: int, text: str) -> str:
    """What a witness signs: that it saw this tree head then, in seconds since 1970."""
    return f"cosignature/v1\ntime {seconds}\n{text}"


def cosignature_time(signature: bytes) -> int:
    """When a witness says that it signed, in seconds since 1970."""
    return int.from_bytes(signature[:8])


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
                key.verify(signature, text)
                vouched = True
    if not vouched:
        raise ReceiptInvalid("no trusted key signed the note")
    return text


def open_tree_head(note: str, keys: Sequence[VerifierKey]) -> TreeHead:
    """The tree head in a note, signed by one of the log's own keys: those named by its origin."""
    head = TreeHead.parse(split_note(note)[0])
    open_note(note, [key for key in keys if (key.name, key.kind) == (head.origin, ED25519)])
    return head


def succession(key: VerifierKey) -> str:
    """The text in which a log's key names the next one."""
    return f"chenu.log.succession.v1\n{key}\n"


def successors(keys: Sequence[VerifierKey], notes: Iterable[str]) -> list[VerifierKey]:
    """The keys, and those that they have named as their successors; the notes oldest first."""
    trusted = list(keys)
    for note in notes:
        try:
            found = _SUCCESSION.fullmatch(open_note(note, trusted))
        except ReceiptInvalid:
            continue  # of keys that are not trusted here
        key = VerifierKey.parse(found[1]) if found else None
        if key is not None and key not in trusted:
            trusted.append(key)
    return trusted


def cosigners(note: str, witnesses: Sequence[VerifierKey]) -> dict[VerifierKey, int]:
    """Which of these witnesses vouch for the head in a note, and when each did.

    In seconds since 1970; ReceiptInvalid where a signature under the name and id of one is wrong.
    """
    text, signatures = split_note(note)
    TreeHead.parse(text)
    found: dict[VerifierKey, int] = {}
    for name, key_id, signature in signatures:
        for key in witnesses:
            if (key.name, key.id, key.kind) == (name, key_id, COSIGNATURE):
                key.verify(signature, text)
                found[key] = max(found.get(key, 0), cosignature_time(signature))
    return found


def _halve_while_odd(position: int, last: int) -> tuple[int, int]:
    while position & 1:
        position, last = position >> 1, last >> 1
    return position, last


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
