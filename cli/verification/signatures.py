"""Whether permits and vote tokens were signed by the keys that come with them."""

from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chenu_gate.permit import Permit, PermitRefused, key_id
from chenu_gate.permit import read as read_permit
from cli.verification.verdict import Tampered
from kernel.errors import Unauthenticated
from kernel.tokens import decode, public_jwk, unverified_header

_VOTE = "vote+jwt"


class Signatures:
    """The check, by pinned keys where there are any.

    A token names its key by the key's own hash, and the log the token by its hash; so the key
    that comes with it is the one that signed it then. Whose key it is, only a pinned one tells.
    """

    def __init__(self, pinned: Sequence[Mapping[str, Any]], notes: list[str]) -> None:
        self._pinned = {str(jwk["kid"]) for jwk in pinned}
        self._notes = notes
        self._checked = 0

    def told(self) -> str:
        """How many there were, and whose keys they were checked by."""
        by = "pinned keys" if self._pinned else "keys that the log's records name"
        return f"{self._checked} signatures of vote tokens and permits, by {by}"

    def permit(self, token: str, key: str, what: str) -> Permit | None:
        """What a permit says; None where its key was not kept."""
        try:
            public = self._key(key_id(token), key, what)
            return None if public is None else read_permit(token, {key_id(token): public})
        except PermitRefused as refused:
            raise Tampered(None, f"{what}: {refused}") from None

    def vote(self, token: str, key: str, what: str) -> Mapping[str, Any] | None:
        """What a vote token says; None where its key was not kept."""
        try:
            header = unverified_header(token)
            if header["typ"] != _VOTE:
                raise Tampered(None, f"{what}: its token is no vote token")
            public = self._key(header["kid"], key, what)
            return None if public is None else decode(token, public, "governance", expired_too=True)
        except Unauthenticated as refused:
            raise Tampered(None, f"{what}: its token is not what was signed ({refused})") from None

    def _key(self, kid: str, key: str, what: str) -> Ed25519PublicKey | None:
        if not key:
            self._notes.append(f"{what}: its signing key was not kept, its signature not checked")
            return None
        try:
            public = Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(f"{key}="))
        except ValueError:
            raise Tampered(None, f"{what}: the key that came with it is none") from None
        if public_jwk(public)["kid"] != kid:
            raise Tampered(None, f"{what}: it was signed by another key than comes with it")
        if self._pinned and kid not in self._pinned:
            raise Tampered(None, f"{what}: it was signed by a key that is not pinned ({kid})")
        self._checked += 1
        return public
