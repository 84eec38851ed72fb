"""Key files: written whole or not at all, and there after a power cut."""

import os
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kernel.tokens import SigningKey

PRIVATE: Final = ".pem"
PUBLIC: Final = ".pub.pem"


def make_private(path: Path) -> SigningKey:
    """A new key and its file, readable by its owner only."""
    unfinished = _unfinished(path)
    key = SigningKey.generate(unfinished)
    _finish(unfinished, path)
    return key


def write_public(key: SigningKey, path: Path) -> None:
    """The public half as a PEM file."""
    pem = key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    unfinished = _unfinished(path)
    unfinished.write_bytes(pem)
    _finish(unfinished, path)


def load_public(path: Path) -> Ed25519PublicKey:
    """Read a public PEM file; ValueError or TypeError where it holds no Ed25519 key."""
    key = serialization.load_pem_public_key(path.read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        raise TypeError(f"{path} holds no Ed25519 key")
    return key


def _unfinished(path: Path) -> Path:
    """A name that nobody reads; what a crash left under it is worth nothing."""
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.unlink(missing_ok=True)
    return unfinished


def _finish(unfinished: Path, path: Path) -> None:
    _sync(unfinished)
    unfinished.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
