from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from chenu_gate.canonical_json import digest
from chenu_gate.freezes import Freeze
from chenu_gate.permit import (
    LIFETIME,
    MAX_LIFETIME,
    Permit,
    PermitExpired,
    PermitForAnotherAction,
    PermitForAnotherAudience,
    PermitForAnotherIdentity,
    PermitForged,
    PermitRefused,
    PermittedAction,
    PermitTooLasting,
    mint,
    permit_keys,
    verify,
)
from chenu_gate.refusal import ActionRefused
from tests.support.actions import an_action

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KEY = Ed25519PrivateKey.generate()
KEYS = {"k1": KEY.public_key()}
ACTION = an_action()
TENANT = ACTION.principal.tenant


def a_permit(**changes: Any) -> Permit:
    permit = Permit.for_action(ACTION, permit_id="p-1", decision="d-1", freeze_epoch=3, now=NOW)
    return replace(permit, **changes)


def checked(token: str, **changes: Any) -> PermittedAction:
    expected: dict[str, Any] = {
        "audience": "threads",
        "action_bytes": ACTION.canonical(),
        "now": NOW,
        "freezes": [Freeze("tenant", "", TENANT, 3)],
    }
    return verify(token, KEYS, **expected | changes)


def signed(claims: dict[str, Any], key: Any = KEY, **header: Any) -> str:
    headers = {"kid": "k1", "typ": "permit+jwt", **header}
    algorithm = headers.pop("alg", "EdDSA")
    return jwt.encode(claims, key, algorithm=algorithm, headers=headers)


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


TOKEN = mint(a_permit(), KEY, "k1")
CLAIMS = claims_of(TOKEN)


def test_a_permit_says_the_same_after_its_journey() -> None:
    permitted = checked(TOKEN)

    assert permitted.permit == a_permit()
    assert permitted.action == ACTION
    assert permitted.permit.action == ACTION.digest
    assert permitted.permit.expires_at - permitted.permit.issued_at == LIFETIME


def test_a_permit_is_in_force_for_its_seconds_and_the_leeway() -> None:
    second = timedelta(seconds=1)
    in_force = [NOW, NOW - second, NOW + LIFETIME, NOW + LIFETIME + second - second / 1000]
    for now in in_force:
        assert checked(TOKEN, now=now).permit.id == "p-1"

    for now in [NOW - second * 1.001, NOW + LIFETIME + second, NOW + timedelta(days=1)]:
        with pytest.raises(PermitExpired):
            checked(TOKEN, now=now)
    with pytest.raises(PermitExpired):
        checked(TOKEN, now=NOW + LIFETIME, leeway=timedelta(0))
    assert checked(TOKEN, now=NOW + LIFETIME + second, leeway=2 * second)


def test_a_permit_that_lives_too_long_is_refused_although_governance_signed_it() -> None:
    longest = mint(a_permit(expires_at=NOW + MAX_LIFETIME), KEY, "k1")
    assert checked(longest, now=NOW + MAX_LIFETIME).permit.expires_at == NOW + MAX_LIFETIME
    for life in (MAX_LIFETIME + timedelta(seconds=1), timedelta(days=365)):
        with pytest.raises(PermitTooLasting, match="at most 60 s") as refused:
            checked(mint(a_permit(expires_at=NOW + life), KEY, "k1"))
        assert refused.value.reason == "PERMIT_LIFETIME"


@pytest.mark.parametrize("seconds", [-0.1, 2.1, 3600])
def test_no_executor_may_be_more_lenient_than_two_seconds(seconds: float) -> None:
    with pytest.raises(ValueError, match="leeway"):
        checked(TOKEN, leeway=timedelta(seconds=seconds))


def test_a_permit_for_another_executor_is_refused() -> None:
    with pytest.raises(PermitForAnotherAudience):
        checked(TOKEN, audience="courier")


def test_a_permit_whose_audience_is_not_the_actions_executor_is_refused() -> None:
    token = mint(a_permit(audience="courier"), KEY, "k1")

    with pytest.raises(PermitForAnotherAudience):
        checked(token, audience="courier")


@pytest.mark.parametrize("changed", [ACTION.canonical() + b" ", b"", an_action().canonical()])
def test_a_permit_for_other_bytes_is_refused(changed: bytes) -> None:
    with pytest.raises(PermitForAnotherAction):
        checked(TOKEN, action_bytes=changed)


def test_every_changed_byte_of_the_action_is_refused() -> None:
    data = ACTION.canonical()
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises(PermitForAnotherAction):
            checked(TOKEN, action_bytes=changed)


def test_bytes_that_are_no_canonical_action_are_refused_even_with_their_own_permit() -> None:
    data = json.dumps(ACTION.document()).encode()
    token = mint(a_permit(action=digest(data)), KEY, "k1")

    with pytest.raises(ActionRefused):
        checked(token, action_bytes=data)


@pytest.mark.parametrize("whom", ["tenant", "identity", "person"])
def test_a_permit_for_somebody_else_is_refused(whom: str) -> None:
    token = mint(a_permit(**{whom: "somebody-else"}), KEY, "k1")

    with pytest.raises(PermitForAnotherIdentity):
        checked(token)


@pytest.mark.parametrize("claim", sorted(CLAIMS))
def test_a_claim_changed_after_signing_is_refused(claim: str) -> None:
    header, _, signature = TOKEN.split(".")
    value = CLAIMS[claim]
    changed = CLAIMS | {claim: value + 1 if isinstance(value, int) else value + "x"}
    body = base64.urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=").decode()

    with pytest.raises(PermitForged):
        checked(f"{header}.{body}.{signature}")


@pytest.mark.parametrize("claim", sorted(CLAIMS.keys() - {"jti", "decision"}))
def test_a_permit_signed_with_another_value_is_refused(claim: str) -> None:
    hour = 3600
    changes = {
        "iat": CLAIMS["iat"] + hour,
        "nbf": CLAIMS["nbf"] + hour,
        "exp": CLAIMS["exp"] - hour,
    }
    changes |= {"freeze_epoch": 2}

    with pytest.raises(PermitRefused):
        checked(signed(CLAIMS | {claim: changes.get(claim, f"{CLAIMS[claim]}x")}))


@pytest.mark.parametrize("claim", ["jti", "decision"])
def test_permit_and_decision_are_the_ones_that_were_signed(claim: str) -> None:
    permit = checked(signed(CLAIMS | {claim: "another"})).permit

    assert permit != a_permit()
    assert "another" in {permit.id, permit.decision}


@pytest.mark.parametrize("claim", sorted(CLAIMS))
@pytest.mark.parametrize("value", [None, [], ["threads"], {}, True, 1.5])
def test_a_signed_claim_of_another_type_is_refused(claim: str, value: Any) -> None:
    body = json.dumps(CLAIMS | {claim: value}).encode()
    token = jwt.PyJWS().encode(body, KEY, "EdDSA", {"kid": "k1", "typ": "permit+jwt"})

    with pytest.raises(PermitForged):
        checked(token)


@pytest.mark.parametrize("claim", sorted(CLAIMS))
def test_a_permit_without_one_of_its_claims_is_refused(claim: str) -> None:
    with pytest.raises(PermitForged):
        checked(signed({key: value for key, value in CLAIMS.items() if key != claim}))


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "access+jwt"},
        {"typ": "JWT"},
        {"typ": "PERMIT+JWT"},
        {"kid": "unknown"},
        {"kid": ""},
        {"jku": "https://keys.example/jwks"},
        {"jwk": OKPAlgorithm.to_jwk(KEY.public_key(), as_dict=True)},
        {"crit": ["exp"]},
        {"x5u": "https://keys.example/cert"},
    ],
)
def test_a_token_with_another_header_is_refused(header: dict[str, Any]) -> None:
    with pytest.raises(PermitForged):
        checked(signed(CLAIMS, **header))


def test_a_token_signed_by_another_key_is_refused() -> None:
    with pytest.raises(PermitForged):
        checked(signed(CLAIMS, Ed25519PrivateKey.generate()))


def test_a_token_of_another_algorithm_is_refused() -> None:
    with pytest.raises(PermitForged):
        checked(signed(CLAIMS, key="", alg="none"))
    # The public key as the secret of a symmetric signature.
    secret = KEY.public_key().public_bytes_raw() * 2
    with pytest.raises(PermitForged):
        checked(signed(CLAIMS, key=secret, alg="HS256"))


def test_a_token_that_is_too_long_is_refused_unread() -> None:
    assert checked(signed(CLAIMS | {"note": "x" * 100})).permit == a_permit()
    with pytest.raises(PermitForged, match="too long"):
        checked(signed(CLAIMS | {"note": "x" * 4000}))


@pytest.mark.parametrize(
    "token",
    ["", "a.b.c", "...", "é.é.é", "\ud800", "x" * 5000, TOKEN + ".x", TOKEN.rsplit(".", 1)[0]],
)
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(PermitForged):
        checked(token)


def test_keys_come_from_a_key_set_and_only_those_that_sign_permits() -> None:
    def entry(kid: str, key: Any = KEY) -> dict[str, Any]:
        return {**OKPAlgorithm.to_jwk(key, as_dict=True), "kid": kid, "use": "sig"}

    unnamed = OKPAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    symmetric = {"kty": "oct", "k": "c2VjcmV0", "kid": "k3"}
    private = entry("k4")
    key_set = {"keys": [entry("k1", KEY.public_key()), unnamed, symmetric, private]}

    keys = permit_keys(key_set)

    assert list(keys) == ["k1"]
    assert (
        verify(TOKEN, keys, audience="threads", action_bytes=ACTION.canonical(), now=NOW).permit
        == a_permit()
    )


def test_every_reason_stands_in_the_contract() -> None:
    from chenu.governance.v1.error_reason_pb2 import ErrorReason

    permits: list[type[PermitRefused]] = [PermitRefused, *PermitRefused.__subclasses__()]
    assert len(permits) == 8
    reasons = {ActionRefused.reason} | {refusal.reason for refusal in permits}
    assert {f"ERROR_REASON_{reason}" for reason in reasons} <= set(ErrorReason.keys())
