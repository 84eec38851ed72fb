"""The log's key: it signs tree heads and nothing else, and lives in a file of this service."""

from pathlib import Path

from kernel.tokens import SigningKey
from services.audit.note import NoteSigner


def open_log_key(private: Path, public: Path, origin: str) -> NoteSigner:
    """The signer of the log named `origin`; makes the key, and publishes its verifier key, once.

    `public` holds the verifier keys that every source checks receipts with, one a line.
    """
    if not private.exists():
        private.parent.mkdir(parents=True, exist_ok=True)
        SigningKey.generate(private)
    signer = NoteSigner(origin, SigningKey.load(private).private)
    known = public.read_text().splitlines() if public.exists() else []
    if str(signer.verifier_key) not in known:
        public.parent.mkdir(parents=True, exist_ok=True)
        public.write_text("".join(f"{line}\n" for line in [*known, str(signer.verifier_key)]))
    return signer
