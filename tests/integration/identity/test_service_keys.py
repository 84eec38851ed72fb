"""Services' keys, and the assertions that they trade for tokens."""

import asyncio
import time
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest

from chenu.identity.v1.token_service_pb2 import IssueServiceTokenRequest
from kernel.tokens import SigningKey
from services.identity.service_keys import (
    make_service_key,
    register_service_keys,
    register_what_comes,
)
from tests.integration.identity.conftest import Identity, Start, events, refusal
from tests.support.waiting import soon

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
ASSERTION = "assertion+jwt"


async def trade(identity: Identity, assertion: str) -> str:
    request = IssueServiceTokenRequest(assertion=assertion)
    return (await identity.tokens.IssueServiceToken(request)).service_token


async def test_a_service_trades_its_assertion_for_a_token_that_the_others_accept(
    identity: Identity,
) -> None:
    token = await trade(identity, identity.assertion("nova"))
    claims = await identity.service.keys.verify(token, typ="service+jwt", audience="chenu")
    assert (claims["sub"], claims["actor"]) == ("nova", "service")
    assert claims["tenant"] == "00000000-0000-0000-0000-000000000000"
    assert claims["exp"] - claims["iat"] == 600


async def test_an_assertion_is_good_once(identity: Identity) -> None:
    assertion = identity.assertion("nova")
    assert await trade(identity, assertion)
    await refusal(trade(identity, assertion), UNAUTHENTICATED, "ASSERTION_INVALID")


async def test_an_assertion_is_good_once_among_replicas(identity: Identity, start: Start) -> None:
    assertion = identity.assertion("nova")
    assert await trade(identity, assertion)
    async with start() as replica:
        await refusal(trade(replica, assertion), UNAUTHENTICATED, "ASSERTION_INVALID")


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "chenu"},
        {"aud": ["identity", "chenu"]},
        {"iss": "somebody"},
        {"exp": int(time.time()) - 60},
        {"iat": int(time.time()) + 600, "exp": int(time.time()) + 660},
        {"exp": int(time.time()) + 3600},
        {"jti": "not a token id!"},
        {"jti": "x" * 65},
        {"sub": "threads"},
        {"sub": "nobody"},
        {"sub": "Nova"},
        {"sub": "nova'; --"},
    ],
    ids=" and ".join,  # the claims; their values are of the moment
)
async def test_an_assertion_with_wrong_claims_is_refused(
    identity: Identity, wrong: dict[str, Any]
) -> None:
    await refusal(
        trade(identity, identity.assertion("nova", **wrong)), UNAUTHENTICATED, "ASSERTION_INVALID"
    )


async def test_what_is_no_assertion_is_refused(identity: Identity, keys_dir: Path) -> None:
    key, stranger = SigningKey.load(keys_dir / "nova.pem"), make_service_key(keys_dir, "unknown")
    claims = {"sub": "nova", "aud": "identity"}
    for assertion in (
        key.sign(claims, typ="access+jwt", ttl=60),
        stranger.sign(claims, typ="assertion+jwt", ttl=60),
        await trade(identity, identity.assertion("nova")),
        jwt.encode(claims, "", algorithm="none"),
        "nonsense",
        "a.b.c",
    ):
        await refusal(trade(identity, assertion), UNAUTHENTICATED, "ASSERTION_INVALID")


async def test_another_key_for_a_service_replaces_the_one_before(
    identity: Identity, tmp_path: Path, admin: Any
) -> None:
    worker = identity.service.worker
    old = make_service_key(tmp_path / "old", "illustrator")
    new = make_service_key(tmp_path / "new", "illustrator")
    claims = {"sub": "illustrator", "aud": "identity"}
    assert await register_service_keys(worker, tmp_path / "old") == ["illustrator"]
    assert await trade(identity, old.sign(claims, typ="assertion+jwt", ttl=60))
    for _ in range(2):
        await register_service_keys(worker, tmp_path / "new")
    assert await trade(identity, new.sign(claims, typ="assertion+jwt", ttl=60))
    await refusal(
        trade(identity, old.sign(claims, typ="assertion+jwt", ttl=60)),
        UNAUTHENTICATED,
        "ASSERTION_INVALID",
    )
    registered = await events(admin, "service/illustrator")
    assert [event["data"]["details"]["kid"] for event in registered] == [old.kid, new.kid]


async def test_a_key_that_comes_while_identity_runs_is_registered_whatever_lies_beside_it(
    identity: Identity, tmp_path: Path, admin: Any
) -> None:
    (tmp_path / "broken.pub.pem").write_text("half a k")
    claims = {"sub": "sculptor", "aud": "identity"}
    coming = asyncio.create_task(register_what_comes(identity.service.worker, tmp_path, 0.01))
    try:
        for folder in ("one", "two"):
            key = make_service_key(tmp_path / folder, "sculptor")
            (tmp_path / folder / "sculptor.pub.pem").replace(tmp_path / "sculptor.pub.pem")

            async def trades(key: SigningKey = key) -> bool:
                try:
                    return bool(await trade(identity, key.sign(claims, typ=ASSERTION, ttl=60)))
                except grpc.aio.AioRpcError:
                    return False

            await soon(trades, "the key is good")
    finally:
        coming.cancel()
    assert len(await events(admin, "service/sculptor")) == 2


async def test_making_a_service_key_again_changes_nothing(tmp_path: Path) -> None:
    first = make_service_key(tmp_path, "painter")
    again = make_service_key(tmp_path, "painter")
    assert first.kid == again.kid
    assert (tmp_path / "painter.pem").stat().st_mode & 0o777 == 0o600


async def test_a_file_that_holds_no_ed25519_key_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "painter.pub.pem").write_text("no key")
    with pytest.raises(ValueError, match="PEM"):
        await register_service_keys(None, tmp_path)  # type: ignore[arg-type]
