"""Opaque secrets: shown once, kept as a digest.

They hold 256 random bits, so a plain digest is enough: there is nothing to
guess that argon2 would slow down.
"""

import secrets
from hashlib import sha256


def new_secret(kind: str) -> str:
    """A secret that says what it is, so that scanners and people recognise a leaked one."""
    return f"chenu_{kind}_{secrets.token_urlsafe(32)}"


def digest(secret: str) -> bytes:
    """What is stored and looked up."""
    return sha256(secret.encode()).digest()
