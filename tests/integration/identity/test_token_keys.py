"""Token keys as clients see them: the key set, and its rotation under load."""

import asyncio
import json
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest

from chenu.identity.v1.auth_service_pb2 import GetMeRequest
from chenu.identity.v1.token_service_pb2 import GetKeySetRequest
from kernel.service import Service
from kernel.settings import SettingsError
from services.identity import __main__ as program
from services.identity.key_rotation import rotate_keys
from tests.integration.identity.conftest import (
    Identity,
    Someone,
    Start,
    events,
    later,
    refusal,
)
from tests.support.identity import Person, TokenMint, bearer
from tests.support.waiting import PATIENCE


async def kids(identity: Identity) -> list[str]:
    answer = await identity.tokens.GetKeySet(GetKeySetRequest())
    return [key["kid"] for key in json.loads(answer.jwks)["keys"]]


async def rotate(identity: Identity) -> str:
    keys = program.token_keys(identity.service.shared, identity.service.settings)
    return (await rotate_keys(identity.service.worker, keys))[0]


async def test_the_key_set_is_public_and_verifies_what_identity_signs(
    identity: Identity, someone: Someone
) -> None:
    answer = await identity.tokens.GetKeySet(GetKeySetRequest())
    keys = jwt.PyJWKSet.from_json(answer.jwks)
    key = keys[jwt.get_unverified_header(someone.token)["kid"]]
    assert jwt.decode(someone.token, key, ["EdDSA"], audience="chenu")["sub"] == someone.user
    assert '"d"' not in answer.jwks


async def test_a_new_key_is_published_first_and_signs_later(
    start: Start, own_keys_dir: Path, admin: Any
) -> None:
    async with start(own_keys_dir) as identity:
        before = await kids(identity)
        new = await rotate(identity)
        assert await kids(identity) == [new, *before]
        token = (await identity.register()).token
        assert jwt.get_unverified_header(token)["kid"] == before[0]
        (published,) = await events(admin, f"token_key/{new}")
        assert published["type"] == "chenu.identity.token_key.published"
    async with start(own_keys_dir, **later(minutes=3)) as identity:
        person = await identity.register()
        assert jwt.get_unverified_header(person.token)["kid"] == new
        assert await kids(identity) == [new, *before]
        # Yesterday's token is as good as it was.
        await identity.auth.GetMe(GetMeRequest(), metadata=bearer(token))
    async with start(own_keys_dir, **later(hours=50)) as identity:
        assert await kids(identity) == [new]
        await refusal(
            identity.auth.GetMe(GetMeRequest(), metadata=bearer(token)),
            grpc.StatusCode.UNAUTHENTICATED,
            "TOKEN_INVALID",
        )


async def test_no_call_is_refused_while_keys_are_rotated(start: Start, own_keys_dir: Path) -> None:
    async with start(own_keys_dir) as identity, start(own_keys_dir) as replica:
        person, rounds = await identity.register(), asyncio.Queue[int]()

        async def call() -> None:
            while True:
                for each in (identity, replica):
                    await each.auth.GetMe(GetMeRequest(), metadata=person.metadata)
                rounds.put_nowait(1)

        calls = asyncio.create_task(call())
        for _ in range(3):
            await rotate(identity)
            for _ in range(rounds.qsize() + 2):
                await asyncio.wait_for(rounds.get(), PATIENCE)
        assert not calls.done(), calls
        calls.cancel()
        assert await kids(identity) == await kids(replica)


async def test_tokens_signed_elsewhere_are_refused_whatever_they_claim(
    identity: Identity, someone: Someone
) -> None:
    sid = jwt.decode(someone.token, options={"verify_signature": False})["sid"]
    person = Person(someone.user, someone.tenant, someone.identity, sid)
    mint, real = TokenMint(), jwt.get_unverified_header(someone.token)["kid"]
    mint_under_real_kid = TokenMint()
    mint_under_real_kid.key.kid = real
    claims = jwt.decode(someone.token, options={"verify_signature": False})
    public = json.loads((await identity.tokens.GetKeySet(GetKeySetRequest())).jwks)["keys"][0]
    hmac_headers = {"typ": "access+jwt", "kid": real}
    for token in (
        mint.access(person),
        mint_under_real_kid.access(person),
        jwt.encode(claims, public["x"] + "=" * 32, "HS256", headers=hmac_headers),
        jwt.encode(claims, "", algorithm="none", headers=hmac_headers),
        mint.key.sign(claims, typ="access+jwt", ttl=60).replace(".", "..", 1),
    ):
        await refusal(
            identity.auth.GetMe(GetMeRequest(), metadata=bearer(token)),
            grpc.StatusCode.UNAUTHENTICATED,
            "TOKEN_INVALID",
        )


async def test_the_command_rotates_and_says_from_when_on(
    start: Start, own_keys_dir: Path, urls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHENU_KEYS_DIR", str(own_keys_dir))
    monkeypatch.setenv("CHENU_IDENTITY_DATABASE_URL", urls.app)
    monkeypatch.setenv("CHENU_IDENTITY_WORKER_DATABASE_URL", urls.worker)
    said = await program.rotate()
    async with start(own_keys_dir) as identity:
        newest, *_ = await kids(identity)
    assert said.startswith(f"tokens are signed with {newest} from ")


async def test_nothing_is_rotated_without_its_record(own_keys_dir: Path, start: Start) -> None:
    async with start(own_keys_dir) as identity:
        before = await kids(identity)
        await identity.service.worker.close()
        with pytest.raises(Exception, match="pool is clos"):
            await rotate(identity)
        assert await kids(identity) == before


async def test_a_clock_that_is_ahead_is_refused_in_production(start: Start) -> None:
    async with start() as identity:
        shared = identity.service.shared.model_copy(update={"environment": "production"})
        settings = identity.service.settings.model_copy(update=later(hours=1))
        with pytest.raises(SettingsError, match="CLOCK_OFFSET"):
            await Service.start(program.PROGRAM, shared, settings)


async def test_identity_does_not_start_without_a_key_of_its_own(
    start: Start, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="holds no identity"):
        async with start(tmp_path):
            pass
