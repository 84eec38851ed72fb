"""Keys: where they come from, how long they and what they signed are believed."""

import json
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from kernel.errors import Unauthenticated, Unavailable
from kernel.interceptors.authentication import identify
from kernel.settings import SettingsError
from kernel.tokens import KeySet, SigningKey, TokenExpired, unverified_header
from tests.unit.kernel.forged_tokens import by_another_key, header, signed
from tests.unit.kernel.sample import Issuer


async def test_a_key_that_is_new_is_fetched_once_and_an_unknown_one_does_not_flood_identity(
    issuer: Issuer, tmp_path: Path
) -> None:
    newer = SigningKey.generate(tmp_path / "newer.pem")
    documents = [[issuer.key.jwk], [issuer.key.jwk, newer.jwk]]
    fetched: list[int] = []

    async def source() -> str:
        fetched.append(1)
        return json.dumps({"keys": documents[min(len(fetched), 2) - 1]})

    keys = KeySet(source)
    await identify(keys, issuer.access(), "")
    keys._refreshed = 0.0
    await identify(keys, Issuer(newer).access(), "")
    for _ in range(20):
        with pytest.raises(Unauthenticated):
            await identify(keys, by_another_key(issuer), "")
    assert len(fetched) == 2


async def test_without_any_key_the_answer_is_not_now(issuer: Issuer) -> None:
    async def source() -> str:
        raise ConnectionRefusedError

    with pytest.raises(Unavailable):
        await KeySet(source).verify(issuer.access(), typ="access+jwt", audience="chenu")


async def test_a_withdrawn_key_is_forgotten_at_the_next_refresh(
    issuer: Issuer, tmp_path: Path
) -> None:
    other = SigningKey.generate(tmp_path / "other.pem")
    documents = [[issuer.key.jwk], [other.jwk]]

    async def source() -> str:
        return json.dumps({"keys": documents.pop(0)})

    keys, known = KeySet(source), issuer.access()
    await keys.verify(known, typ="access+jwt", audience="chenu")
    await keys.refresh()
    for token in (known, issuer.access()):
        with pytest.raises(Unauthenticated):
            await keys.verify(token, typ="access+jwt", audience="chenu")


async def test_the_key_set_remembers_a_verified_token_until_it_expires(issuer: Issuer) -> None:
    keys = issuer.key_set()
    token = issuer.access()
    first = await keys.verify(token, typ="access+jwt", audience="chenu")
    assert await keys.verify(token, typ="access+jwt", audience="chenu") is first
    with pytest.raises(Unauthenticated):
        await keys.verify(token, typ="access+jwt", audience="nova")
    old = signed(issuer, header(issuer), exp=int(time.time()) - 4)
    claims = await keys.verify(old, typ="access+jwt", audience="chenu")
    keys._verified[old, "access+jwt", "chenu"] = {**claims, "exp": time.time() - 60}
    with pytest.raises(TokenExpired):
        await keys.verify(old, typ="access+jwt", audience="chenu")


def test_a_key_is_the_same_after_loading_and_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    made = SigningKey.generate(path)
    loaded = SigningKey.load(path)
    assert (loaded.kid, loaded.jwk) == (made.kid, made.jwk)
    assert loaded.secret("pages") == made.secret("pages") != made.secret("other")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        SigningKey.generate(path)


def test_a_file_with_another_kind_of_key_is_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    path = tmp_path / "rsa.pem"
    path.write_bytes(
        rsa.generate_private_key(65537, 2048).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    with pytest.raises(SettingsError, match=r"rsa.pem holds no Ed25519 key"):
        SigningKey.load(path)


def test_a_file_that_holds_no_key_at_all_is_refused_by_its_name(tmp_path: Path) -> None:
    for content in (b"", b"garbage", b"\xff" * 300):
        (tmp_path / "own.pem").write_bytes(content)
        with pytest.raises(SettingsError, match=r"own.pem holds no Ed25519 key"):
            SigningKey.load(tmp_path / "own.pem")


def test_the_header_of_a_token_tells_its_kind(issuer: Issuer) -> None:
    assert unverified_header(issuer.access())["typ"] == "access+jwt"
