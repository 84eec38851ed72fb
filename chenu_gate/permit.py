"""The permit: governance's signed word, good for seconds, that one decision may be executed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm

from chenu_gate.action import Action
from chenu_gate.canonical_json import digest
from chenu_gate.freezes import Freeze
from chenu_gate.refusal import Refused

ISSUER = "chenu"
TYPE = "permit+jwt"
LIFETIME = timedelta(seconds=10)
MAX_LIFETIME = timedelta(seconds=60)
"""An executor believes no permit that claims to be good for longer, whoever signed it."""
LEEWAY = timedelta(seconds=1)
"""How far the clocks of executors and of governance may differ."""
MAX_LEEWAY = timedelta(seconds=2)
_MAX_TOKEN = 4096

PermitKeys = Mapping[str, Ed25519PublicKey]


class PermitRefused(Refused):
    """A permit that permits nothing here; one class for each reason."""

    reason = "PERMIT_INVALID"
    message = "the permit is not valid"

    def __init__(self, detail: str = "") -> None:
        super().__init__(f"{self.message}: {detail}" if detail else self.message)


class PermitForged(PermitRefused):
    """Not signed by governance, or not a permit at all."""

    message = "this is not a permit signed by a known key of governance"


class PermitExpired(PermitRefused):
    """Its seconds are over, or have not begun by this clock."""

    reason = "PERMIT_EXPIRED"
    message = "the permit is not in force now; ask governance for another with the same request id"


class PermitTooLasting(PermitRefused):
    """Good for longer than a permit may be: a freeze or a lost voter would come too late."""

    reason = "PERMIT_LIFETIME"
    message = f"a permit lives at most {MAX_LIFETIME.total_seconds():.0f} s"


class PermitForAnotherAudience(PermitRefused):
    """Meant for another executor."""

    reason = "PERMIT_AUDIENCE"
    message = "the permit is for another executor"


class PermitForAnotherAction(PermitRefused):
    """The bytes received are not the bytes that were permitted."""

    reason = "PERMIT_ACTION"
    message = "the permit is for another action; one changed byte makes another action"


class PermitForAnotherIdentity(PermitRefused):
    """The action's principal is not whom the permit was given for."""

    reason = "PERMIT_IDENTITY"
    message = "the permit is for another tenant, identity or person"


class PermitFrozen(PermitRefused):
    """Minted before a freeze that covers the action and that this executor has heard of."""

    reason = "PERMIT_FROZEN"
    message = "a freeze voided the permit; ask governance again once it is lifted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """What a permit says. `action` is the digest of the action's canonical bytes."""

    id: str
    decision: str
    action: str
    audience: str
    tenant: str
    identity: str
    person: str
    freeze_epoch: int
    issued_at: datetime
    expires_at: datetime

    @classmethod
    def for_action(
        cls,
        action: Action,
        *,
        permit_id: str,
        decision: str,
        freeze_epoch: int,
        now: datetime,
        lifetime: timedelta = LIFETIME,
    ) -> Permit:
        """The permit for executing this action, once, by the executor that it names."""
        issued_at = now.astimezone(UTC).replace(microsecond=0)
        return cls(
            id=permit_id,
            decision=decision,
            action=action.digest,
            audience=action.executor,
            tenant=action.principal.tenant,
            identity=action.principal.identity,
            person=action.principal.person,
            freeze_epoch=freeze_epoch,
            issued_at=issued_at,
            expires_at=issued_at + lifetime,
        )

    @property
    def last_moment(self) -> datetime:
        """Nothing is begun with it from then on, by the clock of the database that fences it."""
        return self.expires_at + LEEWAY


@dataclass(frozen=True, slots=True)
class PermittedAction:
    """An action together with the verified permit to execute it: what `verify` proves."""

    action: Action
    permit: Permit
    token: str = ""
    """The permit as it was signed, which is kept beside the execution as evidence."""


def mint(permit: Permit, key: Ed25519PrivateKey, kid: str) -> str:
    """The signed token. Only governance holds such a key."""
    claims = {
        "iss": ISSUER,
        "jti": permit.id,
        "decision": permit.decision,
        "action": permit.action,
        "aud": permit.audience,
        "tenant": permit.tenant,
        "identity": permit.identity,
        "person": permit.person,
        "freeze_epoch": permit.freeze_epoch,
        "iat": int(permit.issued_at.timestamp()),
        "nbf": int(permit.issued_at.timestamp()),
        "exp": int(permit.expires_at.timestamp()),
    }
    return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": kid, "typ": TYPE})


def verify(
    token: str,
    keys: PermitKeys,
    *,
    audience: str,
    action_bytes: bytes,
    now: datetime,
    freezes: Iterable[Freeze] = (),
    leeway: timedelta = LEEWAY,
) -> PermittedAction:
    """The action that this executor may execute now; raises `PermitRefused` or `ActionRefused`.

    Offline: `keys` are governance's public keys, `freezes` those that this executor has heard
    of. The action's bytes are hashed as they were received.
    """
    if not timedelta(0) <= leeway <= MAX_LEEWAY:
        raise ValueError(f"leeway must lie between 0 and {MAX_LEEWAY.total_seconds():.0f} s")
    permit = read(token, keys)
    if permit.audience != audience:
        raise PermitForAnotherAudience
    if permit.expires_at - permit.issued_at > MAX_LIFETIME:
        raise PermitTooLasting
    if not permit.issued_at - leeway <= now < permit.expires_at + leeway:
        raise PermitExpired
    if permit.action != digest(action_bytes):
        raise PermitForAnotherAction
    action = Action.parse(action_bytes)
    if action.executor != audience:
        raise PermitForAnotherAudience("the action names another")
    principal = action.principal
    if (permit.tenant, permit.identity, permit.person) != (
        principal.tenant,
        principal.identity,
        principal.person,
    ):
        raise PermitForAnotherIdentity
    if any(one.epoch > permit.freeze_epoch and one.covers(action) for one in freezes):
        raise PermitFrozen
    return PermittedAction(action, permit, token)


def read(token: str, keys: PermitKeys) -> Permit:
    """What a permit says, if one of these keys signed it, whether or not it is in force."""
    return _permit(_claims(token, keys))


def permit_keys(jwks: Mapping[str, Any]) -> dict[str, Ed25519PublicKey]:
    """The Ed25519 keys of a JWKS document by their `kid`; keys of other kinds are left out."""
    keys: dict[str, Ed25519PublicKey] = {}
    for entry in jwks["keys"]:
        if (entry.get("kty"), entry.get("crv")) == ("OKP", "Ed25519") and "kid" in entry:
            key = OKPAlgorithm.from_jwk(dict(entry))
            if isinstance(key, Ed25519PublicKey):
                keys[entry["kid"]] = key
    return keys


def key_id(token: str) -> str:
    """The key that a permit's header names; raises `PermitForged` where it is no permit."""
    return _key_id(token.partition(".")[0])


@lru_cache(maxsize=64)
def _key_id(header_segment: str) -> str:
    # The permits of one key have the same header, letter for letter.
    try:
        header = jwt.get_unverified_header(f"{header_segment}..")
    except (jwt.InvalidTokenError, ValueError) as error:
        raise PermitForged from error
    if header.keys() != {"alg", "kid", "typ"} or header["typ"] != TYPE:
        raise PermitForged("its header is not a permit's")
    return str(header["kid"])


def _claims(token: str, keys: PermitKeys) -> dict[str, Any]:
    """The claims under a signature by a key that is known here, whatever the header offers."""
    if len(token) > _MAX_TOKEN:
        raise PermitForged("too long")
    try:
        kid = key_id(token)
        if kid not in keys:
            raise PermitForged("unknown key")
        return jwt.decode(
            token,
            keys[kid],
            algorithms=["EdDSA"],
            issuer=ISSUER,
            # Times and audience are compared by `verify`, with its own clock and answers.
            options={
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_aud": False,
            },
        )
    except (jwt.InvalidTokenError, ValueError) as error:
        raise PermitForged from error


_WORDS = {
    "jti": "id",
    "decision": "decision",
    "action": "action",
    "aud": "audience",
    "tenant": "tenant",
    "identity": "identity",
    "person": "person",
}


def _permit(claims: Mapping[str, Any]) -> Permit:
    for claim in _WORDS:
        if type(claims.get(claim)) is not str:
            raise PermitForged(f"claim {claim}")
    for claim in ("freeze_epoch", "iat", "nbf", "exp"):
        if type(claims.get(claim)) is not int:
            raise PermitForged(f"claim {claim}")
    if claims["iat"] != claims["nbf"]:
        raise PermitForged("it is in force from the second it was minted, or it is not ours")
    return Permit(
        **{field: claims[claim] for claim, field in _WORDS.items()},
        freeze_epoch=claims["freeze_epoch"],
        issued_at=datetime.fromtimestamp(claims["iat"], UTC),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
    )
