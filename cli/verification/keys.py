"""Whose signature a tree head carries, and whether that key was known before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cli.verification.verdict import Malformed, Tampered, Trust, Verdict
from kernel.receipts import (
    COSIGNATURE,
    ReceiptInvalid,
    TreeHead,
    VerifierKey,
    check_consistency,
    cosigners,
    open_note,
    open_tree_head,
    split_note,
    successors,
)


@dataclass(frozen=True)
class Keys:
    """The keys that were pinned beforehand: the log's, and those of witnesses."""

    log: Sequence[VerifierKey] = ()
    witnesses: Sequence[VerifierKey] = ()

    def trusting(self, verdict: Verdict, offered: str, successions: Sequence[str]) -> "Trusted":
        """The keys to check with: the pinned ones and whom they named, else the offered one."""
        if self.log:
            found, verdict.trust = successors(self.log, successions), Trust.PINNED
        elif offered:
            found, verdict.trust = [_parsed(offered)], Trust.EMBEDDED
        else:
            found = []
        verdict.key = ", ".join(str(key) for key in found)
        return Trusted(verdict, found, self.witnesses)


@dataclass(frozen=True)
class Trusted:
    """The keys that one check goes by."""

    verdict: Verdict
    keys: Sequence[VerifierKey]
    witnesses: Sequence[VerifierKey]

    def note(self, note: str, what: str) -> str:
        """The text of a note that one of the keys signed; without any key, unchecked."""
        try:
            return open_note(note, self.keys) if self.keys else split_note(note)[0]
        except ReceiptInvalid as error:
            raise self._unsigned(what, error) from None

    def head(self, note: str) -> TreeHead:
        """The tree head in a note, and in the verdict who else vouches for it."""
        head = self._opened(note, "the tree head")
        try:
            self.verdict.witnesses = self.cosigned(note)
        except ReceiptInvalid as error:
            raise Tampered(None, f"a cosignature on the tree head is wrong ({error})") from None
        self.verdict.size, self.verdict.root = head.size, head.root
        return head

    def earlier(self, note: str) -> TreeHead | None:
        """A head that was signed before; None where no trusted key signed it."""
        try:
            return self._opened(note, "an earlier tree head")
        except Tampered:
            return None

    def witnessed(self, note: str, path: Sequence[bytes], head: TreeHead) -> None:
        """Note who vouches for an earlier head, which `path` shows to be this one's beginning."""
        before = self._opened(note, "the witnessed tree head")
        try:
            check_consistency(before.size, head.size, before.root, head.root, path)
            self.verdict.witnesses = self.cosigned(note)
        except ReceiptInvalid as error:
            words = "what a witness has cosigned is not shown to be this log's beginning"
            raise Tampered(None, f"{words} ({error})") from None

    def cosigned(self, note: str) -> list[str]:
        """The pinned witnesses that vouch for the head, in words."""
        found = cosigners(note, self.witnesses)
        return [f"{key.name}, {_moment(at)}, {TreeHead.parse(split_note(note)[0]).size} records"
                for key, at in found.items()]  # fmt: skip

    def _opened(self, note: str, what: str) -> TreeHead:
        try:
            if self.keys:
                return open_tree_head(note, self.keys)
            return TreeHead.parse(split_note(note)[0])
        except ReceiptInvalid as error:
            raise self._unsigned(what, error) from None

    def _unsigned(self, what: str, error: ReceiptInvalid) -> Tampered:
        by = (
            "the pinned key" if self.verdict.trust is Trust.PINNED else "the key that it comes with"
        )
        return Tampered(None, f"{what} is not signed by {by} ({error})")


def read_keys(given: str, beside: Path | None = None) -> list[VerifierKey]:
    """Verifier keys: one as it stands, or those in a file, one a line; by default those beside."""
    if given and "+" in given and not Path(given).exists():
        return [_parsed(given)]
    path = Path(given) if given else beside
    if path is None or (not given and not path.exists()):
        return []
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Malformed(f"the keys in {path} cannot be read: {words}") from None
    return [_parsed(line, path) for line in lines if line.strip()]


def split_keys(keys: Sequence[VerifierKey]) -> Keys:
    """The log's keys and those of witnesses, told apart by their kind."""
    return Keys(
        [key for key in keys if key.kind != COSIGNATURE],
        [key for key in keys if key.kind == COSIGNATURE],
    )


def _parsed(text: str, path: Path | None = None) -> VerifierKey:
    try:
        return VerifierKey.parse(text.strip())
    except ReceiptInvalid as error:
        where = f" in {path}" if path else ""
        raise Malformed(f"the key{where} cannot be read: {error}") from None


def _moment(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, OSError, ValueError):
        return "at no time that exists"
