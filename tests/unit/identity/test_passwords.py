"""What is a good enough password, and how it is kept."""

import asyncio
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from services.identity.passwords import Passwords, is_strong
from services.identity.settings import IdentitySettings
from tests.support.waiting import PATIENCE


def passwords(**changes: Any) -> Passwords:
    cheap = {"argon2_time_cost": 1, "argon2_memory_kib": 64, "argon2_parallelism": 1}
    urls = {"database_url": "unused", "worker_database_url": "unused"}
    return Passwords(IdentitySettings(**{**urls, **cheap, **changes}))


@pytest.mark.parametrize("password", ["passw0rd", "12345678a", "mot de passé 1", "пароль12"])
def test_eight_characters_with_a_letter_and_a_digit_are_enough(password: str) -> None:
    assert is_strong(password)


@pytest.mark.parametrize(
    "password", ["", "passw0r", "password", "12345678", "!!!!!!!1", "        "]
)
def test_less_is_too_weak(password: str) -> None:
    assert not is_strong(password)


async def test_a_password_matches_its_own_hash_only() -> None:
    ours = passwords()
    stored = await ours.hash("passw0rd")
    assert stored.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert await ours.verify(stored, "passw0rd")
    assert not await ours.verify(stored, "Passw0rd")
    assert await ours.hash("passw0rd") != stored


async def test_without_a_stored_hash_one_is_computed_all_the_same_and_nothing_matches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = passwords()
    looked_at = []
    matches = ours._matches

    def spy(stored: str, password: str) -> bool:
        looked_at.append(stored)
        return matches(stored, password)

    monkeypatch.setattr(ours, "_matches", spy)
    assert not await ours.verify(None, "passw0rd")
    assert looked_at[0].startswith("$argon2id$v=19$m=64,t=1,p=1$")


async def test_what_is_no_hash_matches_nothing() -> None:
    assert not await passwords().verify("plain", "plain")


async def test_accents_typed_differently_are_the_same_password() -> None:
    ours = passwords()
    assert await ours.verify(await ours.hash("passé 123"), "passe\u0301 123")


async def test_other_parameters_make_a_hash_outdated() -> None:
    stored = await passwords().hash("passw0rd")
    assert not passwords().is_outdated(stored)
    assert passwords(argon2_time_cost=2).is_outdated(stored)


async def test_hashing_leaves_the_event_loop_free_and_takes_a_few_threads_only() -> None:
    ours = passwords(hashing_threads=2)
    running, most, ticks = 0, 0, 0
    lock, both = threading.Lock(), threading.Barrier(2)
    plain = ours._hasher.hash

    def count(password: str) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        try:
            began = ticks
            both.wait(PATIENCE)
            while ticks < began + 5:
                time.sleep(0.001)
            return plain(password)
        finally:
            with lock:
                running -= 1

    ours._hasher = SimpleNamespace(hash=count)  # type: ignore[assignment]

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.001)

    ticking = asyncio.create_task(tick())
    await asyncio.gather(*(ours.hash("passw0rd") for _ in range(6)))
    ticking.cancel()
    assert most == 2
