"""Services' own keys, and the tokens that they buy.

`<keys_dir>/<service>.pub.pem` names a service and its key. Identity registers
what lies there when it starts, and what is laid there while it runs; another key
for the same service replaces the one before.
"""

import asyncio
import re
from pathlib import Path
from typing import Final

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kernel.context import background, current
from kernel.database import Database
from kernel.errors import Unauthenticated
from kernel.statement import Statement
from kernel.tokens import Claims, SigningKey, decode, public_jwk, unverified_header
from services.identity import audit_events
from services.identity.errors import AssertionInvalid
from services.identity.key_files import PRIVATE, PUBLIC, load_public, make_private, write_public
from services.identity.tokens import Issued, Tokens

_TYP: Final = "assertion+jwt"
_AUDIENCE: Final = "identity"
_MAX_LIFE_SECONDS: Final = 60
_TOKEN_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
_SERVICE: Final = re.compile(r"[a-z]{1,32}")

_RELOAD_SECONDS: Final = 5.0
_log: Final = structlog.get_logger(component="service_keys")

_REPLACE: Final = Statement(
    "UPDATE service_keys SET end_time = clock_timestamp()"
    " WHERE service = :service AND kid <> :kid AND end_time IS NULL"
)
_REGISTER: Final = Statement(
    "INSERT INTO service_keys (kid, service, public_key) VALUES (:kid, :service, :public_key)"
    " ON CONFLICT (kid) DO UPDATE SET end_time = NULL"
    " WHERE service_keys.service = :service AND service_keys.end_time IS NOT NULL"
)
_FIND: Final = Statement("SELECT find_service_key(:service, :kid) AS public_key")
_SPEND: Final = Statement(
    "SELECT spend_assertion(:service, :token_id, to_timestamp(:expire_time)) AS is_first"
)


def make_service_key(keys_dir: Path, service: str) -> SigningKey:
    """The service's key and its public half in `keys_dir`, made where they are missing."""
    keys_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    private, public = keys_dir / f"{service}{PRIVATE}", keys_dir / f"{service}{PUBLIC}"
    key = SigningKey.load(private) if private.exists() else make_private(private)
    if not public.exists():
        write_public(key, public)
    return key


async def register_service_keys(worker: Database, keys_dir: Path) -> list[str]:
    """Bring the table up to what lies in `keys_dir`; the services named there. Idempotent."""
    publics = {service: load_public(path) for service, path in _paths(keys_dir).items()}
    for service, public in publics.items():
        await _register(worker, service, public_jwk(public)["kid"], public.public_bytes_raw())
    return list(publics)


async def register_what_comes(
    worker: Database, keys_dir: Path, every: float = _RELOAD_SECONDS
) -> None:
    """A background task: register keys that are new in the folder, or others than they were.

    A file that holds no key, which may be half written, is said once and holds up no other.
    """
    known: dict[str, str] = {}
    while True:
        for service, path in (await asyncio.to_thread(_paths, keys_dir)).items():
            try:
                public = await asyncio.to_thread(load_public, path)
            except (OSError, TypeError, ValueError) as error:
                if known.get(service) != "":
                    _log.warning("no key of a service", service=service, error=str(error))
                known[service] = ""
                continue
            kid = public_jwk(public)["kid"]
            if known.get(service) != kid:
                await _register(worker, service, kid, public.public_bytes_raw())
                known[service] = kid
        await asyncio.sleep(every)


async def _register(worker: Database, service: str, kid: str, public_key: bytes) -> None:
    with background("identity.register_service_keys"):
        async with worker.work() as tx:
            await tx.execute(_REPLACE, service=service, kid=kid)
            if await tx.execute(_REGISTER, kid=kid, service=service, public_key=public_key):
                tx.emit(audit_events.service_key_registered(service, kid))


def _paths(keys_dir: Path) -> dict[str, Path]:
    """The files that should hold keys, by service."""
    paths = {p.name.removesuffix(PUBLIC): p for p in sorted(keys_dir.glob(f"*{PUBLIC}"))}
    return {name: path for name, path in paths.items() if _SERVICE.fullmatch(name)}


class ServiceKeys:
    """Trades assertions signed with registered keys."""

    def __init__(self, database: Database, tokens: Tokens) -> None:
        self._database, self._tokens = database, tokens

    async def issue_token(self, assertion: str) -> Issued:
        """A service token; an assertion is good once."""
        kid, service = _names(assertion)
        async with self._database.transaction(current().caller) as tx:
            found = await tx.fetch_one(_FIND, service=service, kid=kid)
            if found is None or found["public_key"] is None:
                raise AssertionInvalid(subject=f"service/{service}")
            key = Ed25519PublicKey.from_public_bytes(found["public_key"])
            claims = _verified(assertion, key)
            spent = await tx.fetch_one(
                _SPEND, service=service, token_id=claims["jti"], expire_time=int(claims["exp"])
            )
            if spent is None or not spent["is_first"]:
                raise AssertionInvalid(subject=f"service/{service}")
        return self._tokens.service(service)


def _names(assertion: str) -> tuple[str, str]:
    """The key and the service that an assertion names; not verified yet."""
    try:
        header = unverified_header(assertion)
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except (Unauthenticated, jwt.PyJWTError):
        raise AssertionInvalid from None
    service = claims.get("sub")
    if header["typ"] != _TYP or not isinstance(service, str) or not _SERVICE.fullmatch(service):
        raise AssertionInvalid
    return header["kid"], service


def _verified(assertion: str, key: Ed25519PublicKey) -> Claims:
    try:
        claims = decode(assertion, key, _AUDIENCE)
    except Unauthenticated:
        raise AssertionInvalid from None
    lives = int(claims["exp"]) - int(claims["iat"])
    if lives > _MAX_LIFE_SECONDS or not _TOKEN_ID.fullmatch(claims["jti"]):
        raise AssertionInvalid
    return claims
