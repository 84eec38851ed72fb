"""The log's keys: they sign tree heads and exports and nothing else, in files of this service.

A key is changed in two steps, so that nobody who pinned the old one is left behind: `succeed`
makes the new one, which the old one names in a signed note, and from then on both sign; `retire`
ends the old one.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kernel.receipts import VerifierKey, succession
from kernel.tokens import SigningKey
from services.audit.note import NoteSigner, sign_note

SUCCESSIONS: Final = "log.successions"
_BETWEEN: Final = "\n\n"


def open_log_keys(private: Path, public: Path, origin: str) -> Sequence[NoteSigner]:
    """Who signs for the log named `origin`, the newest key first; makes the first one.

    `public` holds the verifier keys that every source checks receipts with, one a line.
    """
    if not private.exists():
        private.parent.mkdir(parents=True, exist_ok=True)
        SigningKey.generate(private)
    signers = [_signer(path, origin) for path in (private, *_retiring(private))]
    for signer in reversed(signers):
        _publish(signer, public)
    return signers


def succeed(private: Path, public: Path, origin: str) -> NoteSigner:
    """Make the next key; the audit service uses it once it is started again."""
    old = open_log_keys(private, public, origin)[0]
    next_private = private.with_name(f"{private.stem}.next.pem")
    if not next_private.exists():  # else an earlier attempt ended half way: its key goes on
        SigningKey.generate(next_private)
    new = _signer(next_private, origin)
    note = sign_note(succession(new.verifier_key), [old, new])
    notes = successions(public)
    if note not in notes:
        public.with_name(SUCCESSIONS).write_text(join_notes([*notes, note]))
    _publish(new, public)
    # Its private half takes effect last: whoever checks knows the key before it signs.
    kept = private.with_name(f"{private.stem}.retiring.{old.verifier_key.id.hex()}.pem")
    if not kept.exists():
        kept.hardlink_to(private)
    next_private.replace(private)
    return new


def retire(private: Path) -> Sequence[str]:
    """Delete the keys that have a successor; returns the names of their files."""
    names = []
    for path in _retiring(private):
        path.unlink()
        names.append(path.name)
    return names


def successions(public: Path) -> Sequence[str]:
    """The signed notes in which each key named the next one, the oldest first."""
    path = public.with_name(SUCCESSIONS)
    if not path.exists():
        return []
    notes = path.read_text().rstrip("\n").split("\n" + _BETWEEN)
    return [f"{note}\n" for note in notes]


def join_notes(notes: Sequence[str]) -> str:
    """How they stand in a file: two empty lines between them, since a note has one itself."""
    return _BETWEEN.join(notes)


def read_keys(path: Path) -> Sequence[VerifierKey]:
    """The verifier keys in a file, one a line."""
    return [VerifierKey.parse(line) for line in path.read_text().splitlines() if line.strip()]


def _retiring(private: Path) -> Sequence[Path]:
    return sorted(private.parent.glob(f"{private.stem}.retiring.*.pem"))


def _signer(private: Path, origin: str) -> NoteSigner:
    return NoteSigner(origin, SigningKey.load(private).private)


def _publish(signer: NoteSigner, public: Path) -> None:
    known = public.read_text().splitlines() if public.exists() else []
    if str(signer.verifier_key) not in known:
        public.parent.mkdir(parents=True, exist_ok=True)
        public.write_text("".join(f"{line}\n" for line in [*known, str(signer.verifier_key)]))
