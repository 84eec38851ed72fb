"""Passwords: what is good enough, and how they are kept."""

import asyncio
import secrets
import unicodedata
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.identity.settings import IdentitySettings

MINIMUM_LENGTH: Final = 8


def is_strong(password: str) -> bool:
    """At least 8 characters with a letter and a digit."""
    return (
        len(password) >= MINIMUM_LENGTH
        and any(character.isalpha() for character in password)
        and any(character.isdigit() for character in password)
    )


class Passwords:
    """Argon2id in threads, a few at once, since each takes memory and a core."""

    def __init__(self, settings: IdentitySettings) -> None:
        self._hasher = PasswordHasher(
            time_cost=settings.argon2_time_cost,
            memory_cost=settings.argon2_memory_kib,
            parallelism=settings.argon2_parallelism,
        )
        self._nobodys = self._hasher.hash(secrets.token_urlsafe())
        self._slots = asyncio.Semaphore(settings.hashing_threads)

    async def hash(self, password: str) -> str:
        """What is stored of it."""
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, _normal(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether it is the password; without a stored one it takes as long, and it is not."""
        async with self._slots:
            matches = await asyncio.to_thread(
                self._matches, stored or self._nobodys, _normal(password)
            )
        return matches and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether it was hashed with other parameters than the present ones."""
        return self._hasher.check_needs_rehash(stored)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


def _normal(password: str) -> str:
    """The same password from every keyboard: composed and decomposed accents are one."""
    return unicodedata.normalize("NFC", password)
