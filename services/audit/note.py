"""Signing C2SP notes with Ed25519; opening them is `kernel.receipts`."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kernel.receipts import ReceiptInvalid, TreeHead, VerifierKey, split_note


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """A private key and the name that it signs under; a log's is its origin."""

    name: str
    private_key: Ed25519PrivateKey

    @property
    def verifier_key(self) -> VerifierKey:
        """What others pin to check this signer's notes."""
        return VerifierKey(self.name, self.private_key.public_key().public_bytes_raw())

    def signature_line(self, text: str) -> str:
        """The line that vouches for `text`, to be put beneath it."""
        raw = self.verifier_key.id + self.private_key.sign(text.encode())
        return f"— {self.name} {b64encode(raw).decode()}\n"


def sign_note(text: str, signers: Sequence[NoteSigner]) -> str:
    """The signed note; refuses, with ReceiptInvalid, what nobody could open."""
    note = f"{text}\n" + "".join(signer.signature_line(text) for signer in signers)
    if split_note(note)[0] != text:
        raise ReceiptInvalid("the text does not end in a newline")
    return note


def sign_tree_head(head: TreeHead, signers: Sequence[NoteSigner]) -> str:
    """The head as a signed note: what a receipt carries and what a client pins."""
    return sign_note(str(head), signers)
