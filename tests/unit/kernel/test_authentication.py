"""Who gets in: good tokens of each kind, and a corpus of bad ones."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kernel.context import new_id
from kernel.errors import Unauthenticated, Unavailable, reason_of
from kernel.interceptors.authentication import identify
from kernel.tokens import MAX_TOKEN_BYTES, KeySet, SigningKey, TokenExpired, unverified_header
from tests.unit.kernel.conftest import Running
from tests.unit.kernel.sample import DELEGATION, VOTER, Issuer, Request, bearer
from tests.unit.kernel.test_interceptors import refused


def segment(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(issuer: Issuer, header: dict[str, Any], **changes: Any) -> str:
    """A token with any header at all, truly signed by the issuer's key."""
    now = int(time.time())
    claims = issuer.claims(**changes) | {"iss": "chenu", "iat": now, "exp": now + 60}
    claims |= {"jti": new_id()} | {k: v for k, v in changes.items() if v is not None}
    for name, value in changes.items():
        if value is None:
            claims.pop(name, None)
    body = f"{segment(header)}.{segment(claims)}"
    return f"{body}.{segment(issuer.key.private.sign(body.encode()))}"


def header(issuer: Issuer, **changes: Any) -> dict[str, Any]:
    found = {"alg": "EdDSA", "typ": "access+jwt", "kid": issuer.key.kid} | changes
    return {name: value for name, value in found.items() if value is not None}


def with_header(**changes: Any) -> Callable[[Issuer], str]:
    return lambda issuer: signed(issuer, header(issuer, **changes))


def with_claims(**changes: Any) -> Callable[[Issuer], str]:
    return lambda issuer: signed(issuer, header(issuer), **changes)


def hmac_with_the_public_key(issuer: Issuer) -> str:
    body = f"{segment(header(issuer, alg='HS256'))}.{segment(issuer.claims())}"
    mac = hmac.HMAC(issuer.key.private.public_key().public_bytes_raw(), hashes.SHA256())
    mac.update(body.encode())
    return f"{body}.{segment(mac.finalize())}"


def by_another_key(issuer: Issuer) -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Issuer(SigningKey(Ed25519PrivateKey.generate())).access()


def under_a_stolen_kid(issuer: Issuer) -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    other = Issuer(SigningKey(Ed25519PrivateKey.generate()))
    return signed(other, header(issuer))


def by_rsa(issuer: Issuer) -> str:
    key = rsa.generate_private_key(65537, 2048)
    return jwt.encode(issuer.claims(), key, "RS256", {"kid": issuer.key.kid, "typ": "access+jwt"})


def by_ecdsa(issuer: Issuer) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode(issuer.claims(), key, "ES256", {"kid": issuer.key.kid, "typ": "access+jwt"})


def changed_payload(issuer: Issuer) -> str:
    head, _, signature = issuer.access().split(".")
    return f"{head}.{segment(issuer.claims(roles=['admin']))}.{signature}"


def unsigned(issuer: Issuer) -> str:
    return f"{segment(header(issuer, alg='none'))}.{segment(issuer.claims())}."


def signature_cut(issuer: Issuer) -> str:
    return issuer.access()[:-4]


def flipped_signature(issuer: Issuer) -> str:
    body, _, signature = issuer.access().rpartition(".")
    return f"{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


BAD: dict[str, Callable[[Issuer], str]] = {
    "empty segments": lambda _: "..",
    "one segment": lambda _: "abc",
    "not base64": lambda _: "!!.!!.!!",
    "four segments": lambda i: i.access() + ".x",
    "header is no object": lambda _: f"{segment([1])}.{segment({})}.{segment(b'x')}",
    "too long": lambda i: i.access(filler="x" * MAX_TOKEN_BYTES),
    "alg none": unsigned,
    "alg None": with_header(alg="None"),
    "alg ed25519": with_header(alg="Ed25519"),
    "alg eddsa in small letters": with_header(alg="eddsa"),
    "hmac with the public key": hmac_with_the_public_key,
    "rsa": by_rsa,
    "ecdsa": by_ecdsa,
    "another key": by_another_key,
    "another key under our kid": under_a_stolen_kid,
    "changed payload": changed_payload,
    "signature cut": signature_cut,
    "signature flipped": flipped_signature,
    "no kid": with_header(kid=None),
    "kid with a path": with_header(kid="../../etc/passwd"),
    "kid with sql": with_header(kid="' OR 1=1 --"),
    "kid is a number": with_header(kid=7),
    "kid is empty": with_header(kid=""),
    "jku": with_header(jku="https://evil.example/keys"),
    "x5u": with_header(x5u="https://evil.example/cert"),
    "x5c": with_header(x5c=["MIIB"]),
    "jwk": with_header(jwk={"kty": "OKP"}),
    "crit": with_header(crit=["exp"]),
    "b64": with_header(b64=False),
    "zip": with_header(zip="DEF"),
    "cty": with_header(cty="JWT"),
    "no typ": with_header(typ=None),
    "typ JWT": with_header(typ="JWT"),
    "typ in capitals": with_header(typ="ACCESS+JWT"),
    "a permit": with_header(typ="permit+jwt"),
    "an assertion": with_header(typ="assertion+jwt"),
    "a service token in the wrong header": lambda i: i.service("nova"),
    "an access token posing as a delegation": with_header(typ="delegation+jwt"),
    "an access token posing as a vote": with_header(typ="vote+jwt"),
    "wrong audience": with_claims(aud="nova"),
    "audience as a list": with_claims(aud=["chenu"]),
    "audience is a number": with_claims(aud=5),
    "no audience": with_claims(aud=None),
    "wrong issuer": with_claims(iss="evil"),
    "no issuer": with_claims(iss=None),
    "no subject": with_claims(sub=None),
    "subject is a number": with_claims(sub=5),
    "subject is no uuid": with_claims(sub="admin"),
    "subject is sql": with_claims(sub="'; DROP TABLE users; --"),
    "identity is no uuid": with_claims(identity="x"),
    "identity is a list": with_claims(identity=[new_id()]),
    "no identity": with_claims(identity=None),
    "tenant is no uuid": with_claims(tenant="*"),
    "no tenant": with_claims(tenant=None),
    "uuid in capitals": with_claims(identity=new_id().upper()),
    "no actor": with_claims(actor=None),
    "actor service": with_claims(actor="service"),
    "actor system": with_claims(actor="system"),
    "actor is a list": with_claims(actor=["human"]),
    "agent without an account": with_claims(actor="agent"),
    "human with an agent's account": with_claims(agent=new_id()),
    "no jti": with_claims(jti=None),
    "no exp": with_claims(exp=None),
    "expired": with_claims(exp=int(time.time()) - 60),
    "exp is text": with_claims(exp="tomorrow"),
    "exp is a list": with_claims(exp=[1]),
    "no iat": with_claims(iat=None),
    "issued in the future": with_claims(iat=int(time.time()) + 3600),
    "iat is text": with_claims(iat="now"),
    "not yet valid": with_claims(nbf=int(time.time()) + 3600),
    "roles are a number": with_claims(roles=5),
    "payload is a list": lambda i: tampered_payload(i, [1]),
    "payload is no json": lambda i: tampered_payload(i, b"{"),
}


def tampered_payload(issuer: Issuer, payload: Any) -> str:
    body = f"{segment(header(issuer))}.{segment(payload)}"
    return f"{body}.{segment(issuer.key.private.sign(body.encode()))}"


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_token_is_unauthenticated_and_nothing_else(running: Running, name: str) -> None:
    metadata = bearer(BAD[name](running.issuer))
    error = await refused(running.stub.Echo(Request(), metadata=metadata))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert reason_of(error) == ("TOKEN_EXPIRED" if name == "expired" else "TOKEN_INVALID")
    assert not running.servicer.callers


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "token x"])
async def test_a_header_that_holds_no_bearer_token_is_refused(running: Running, value: str) -> None:
    for name in ("authorization", "x-chenu-service-authorization"):
        error = await refused(running.stub.Echo(Request(), metadata=[(name, value)]))
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_the_claims_of_a_person_become_the_caller(running: Running) -> None:
    claims = running.issuer.claims(roles=["owner", "admin"])
    token = running.issuer.key.sign(claims, typ="access+jwt", ttl=60)
    await running.stub.Echo(Request(), metadata=bearer(token, running.issuer.service("gateway")))
    caller = running.servicer.callers[0]
    assert (caller.person, caller.identity, caller.tenant) == (
        claims["sub"], claims["identity"], claims["tenant"],
    )  # fmt: skip
    assert (caller.roles, caller.service, caller.session) == (
        ("owner", "admin"), "gateway", claims["sid"],
    )  # fmt: skip
    assert token not in repr(caller)


async def test_an_agent_is_known_by_its_account(running: Running) -> None:
    agent = new_id()
    token = running.issuer.access(actor="agent", agent=agent)
    await running.stub.Echo(Request(), metadata=bearer(token))
    assert (running.servicer.callers[0].actor, running.servicer.callers[0].agent) == (
        "agent", agent,
    )  # fmt: skip


async def test_a_public_method_takes_no_token_and_believes_none(running: Running) -> None:
    await running.stub.Public(Request())
    await running.stub.Public(Request(), metadata=bearer(running.issuer.access()))
    await running.stub.Public(Request(), metadata=bearer("garbage"))
    await running.stub.Public(Request(), metadata=bearer("", running.issuer.service("gateway")))
    assert [(c.actor, c.person, c.service) for c in running.servicer.callers] == [
        ("system", "", ""), ("system", "", ""), ("system", "", ""), ("system", "", "gateway"),
    ]  # fmt: skip


DELEGATED = {"act": {"service": "nova"}, "delegation": new_id()}


async def test_a_delegation_counts_only_beside_novas_own_token(running: Running) -> None:
    token = running.issuer.of_kind("delegation+jwt", "nova", **DELEGATED)
    for service in ("", running.issuer.service("threads"), running.issuer.service("gateway")):
        error = await refused(running.stub.ForNova(Request(), metadata=bearer(token, service)))
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        assert reason_of(error) == "CALLER_NOT_ALLOWED"
    await running.stub.ForNova(Request(), metadata=bearer(token, running.issuer.service("nova")))
    caller = running.servicer.callers[-1]
    assert (caller.kind, caller.claims["delegation"]) == (DELEGATION, DELEGATED["delegation"])


async def test_an_access_token_is_told_to_become_a_delegation(running: Running) -> None:
    metadata = bearer(running.issuer.access(), running.issuer.service("nova"))
    error = await refused(running.stub.ForNova(Request(), metadata=metadata))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "exchange" in str(error.details())


async def test_only_a_vote_token_votes(running: Running) -> None:
    issuer = running.issuer
    delegation = issuer.of_kind("delegation+jwt", "nova", **DELEGATED)
    for metadata in (
        bearer(issuer.access()),
        bearer(issuer.access(actor="agent", agent=new_id())),
        bearer(delegation, issuer.service("nova")),
        bearer("", issuer.service("nova")),
        bearer(issuer.access(), issuer.service("governance")),
    ):
        error = await refused(running.stub.ForVoters(Request(), metadata=metadata))
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    vote = issuer.of_kind("vote+jwt", "governance", checkpoint="c", view_digest="d", amr=["pwd"])
    await running.stub.ForVoters(Request(), metadata=bearer(vote))
    caller = running.servicer.callers[-1]
    assert (caller.kind, caller.claims["checkpoint"], caller.claims["view_digest"]) == (
        VOTER, "c", "d",
    )  # fmt: skip
    error = await refused(running.stub.Echo(Request(), metadata=bearer(vote)))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_an_agent_cannot_hold_a_vote(running: Running) -> None:
    vote = running.issuer.of_kind("vote+jwt", "governance", actor="agent", agent=new_id())
    error = await refused(running.stub.ForVoters(Request(), metadata=bearer(vote)))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_service_must_be_one_that_the_policy_names(running: Running) -> None:
    for name, admitted in (("audit", True), ("nova", False), ("", False)):
        metadata = bearer("", running.issuer.service(name))
        if admitted:
            await running.stub.ForAudit(Request(), metadata=metadata)
            assert running.servicer.callers[-1].actor == "service"
        else:
            error = await refused(running.stub.ForAudit(Request(), metadata=metadata))
            assert error.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_a_bad_service_token_spoils_a_good_access_token(running: Running) -> None:
    for service in ("garbage", running.issuer.access(), by_another_key(running.issuer)):
        metadata = bearer(running.issuer.access(), service)
        error = await refused(running.stub.Echo(Request(), metadata=metadata))
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_remembered_token_stops_working_when_it_expires(running: Running) -> None:
    token = signed(running.issuer, header(running.issuer), exp=int(time.time()) - 4)
    await running.stub.Echo(Request(), metadata=bearer(token))  # within the leeway
    await asyncio.sleep(2.1)
    error = await refused(running.stub.Echo(Request(), metadata=bearer(token)))
    assert reason_of(error) == "TOKEN_EXPIRED"


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

    keys = KeySet(source)
    await keys.verify(issuer.access(), typ="access+jwt", audience="chenu")
    await keys.refresh()
    with pytest.raises(Unauthenticated):
        await keys.verify(issuer.access(), typ="access+jwt", audience="chenu")


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
    with pytest.raises(TypeError, match="Ed25519"):
        SigningKey.load(path)


def test_the_header_of_a_token_tells_its_kind(issuer: Issuer) -> None:
    assert unverified_header(issuer.access())["typ"] == "access+jwt"
