"""A corpus of bad tokens: each made by a function of the true issuer."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kernel.context import new_id
from kernel.tokens import MAX_TOKEN_BYTES, SigningKey
from tests.unit.kernel.sample import Issuer


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
    "typ that no text may hold": with_header(typ="\ud800"),
    "kid that no text may hold": with_header(kid="\ud800"),
    "kid that no column may hold": with_header(kid="\0"),
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
