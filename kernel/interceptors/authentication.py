"""Finds out who is calling, and whether the RPC's policy lets that caller in.

Servicers never look at tokens: what they need stands in `current().caller`, and
who may call stands in the proto, as `option (chenu.events.v1.policy)`.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from math import inf
from typing import Any, Final

from chenu.events.v1.method_policy_pb2 import CallerKind
from kernel.caller import SYSTEM_TENANT, UUID, Caller
from kernel.context import current
from kernel.errors import PermissionDenied, Unauthenticated
from kernel.interceptors.method import Handler, Method, ServicerContext
from kernel.tokens import LEEWAY_SECONDS, KeySet, TokenExpired, unverified_header

AUTHORIZATION: Final = "authorization"
SERVICE_AUTHORIZATION: Final = "x-chenu-service-authorization"
_AUDIENCE: Final = {"access+jwt": "chenu", "delegation+jwt": "nova", "vote+jwt": "governance"}
_DELEGATE: Final = "nova"
_NAMED: Final = frozenset(
    {"sub", "identity", "tenant", "actor", "agent", "roles", "sid", "jti", "iss", "aud", "iat"}
)
_CACHED: Final = 2_000  # of each method; the key set remembers more


class CallerNotAllowed(PermissionDenied):
    """A good token of a kind, or of a service, that this RPC does not take."""

    reason = "CALLER_NOT_ALLOWED"


def authenticate(method: Method, inner: Handler) -> Handler:
    """Sets the call's caller, or refuses; each pair of tokens is judged once until it expires.

    It is judged anew when a key was withdrawn: it may be what the key was withdrawn for.
    """
    keys, policy = method.keys, method.policy
    judged: dict[tuple[int, str, str], Caller] = {}

    async def handle(request: Any, context: ServicerContext) -> Any:
        call = current()
        token = "" if policy.public else _bearer(call.metadata, AUTHORIZATION)
        presented = keys.withdrawals, token, _bearer(call.metadata, SERVICE_AUTHORIZATION)
        caller = judged.get(presented)
        if caller is None:
            caller = await identify(keys, *presented[1:], public=policy.public)
            call.caller = caller  # known before it is refused, so that the denial names it
            _admit(method, caller)
            if len(judged) >= _CACHED:
                del judged[next(iter(judged))]
            judged[presented] = caller
        elif caller.claims.get("exp", inf) + LEEWAY_SECONDS <= time.time():
            del judged[presented]
            raise TokenExpired
        call.caller = caller
        return await inner(request, context)

    return handle


async def identify(keys: KeySet, token: str, service_token: str, *, public: bool = False) -> Caller:
    """The caller that these tokens prove; on a public RPC only the service counts."""
    service: Mapping[str, Any] = {}
    if service_token:
        service = await keys.verify(service_token, typ="service+jwt", audience="chenu")
    name = str(service.get("sub", ""))
    if public:
        return replace(Caller.system(service=name), claims={"exp": service.get("exp", inf)})
    if token:
        typ = unverified_header(token)["typ"]
        if typ not in _AUDIENCE:
            raise Unauthenticated("the token is of a kind that is not presented here", typ=typ)
        claims = await keys.verify(token, typ=typ, audience=_AUDIENCE[typ])
        caller = _caller(claims, typ, token)
        until = min(claims["exp"], service.get("exp", claims["exp"]))
        return replace(caller, service=name, claims={**caller.claims, "exp": until})
    if not service:
        raise Unauthenticated("a token is required")
    return Caller(
        tenant=SYSTEM_TENANT, person="", identity="", actor="service", service=name,
        kind=CallerKind.CALLER_KIND_SERVICE, token_id=str(service["jti"]),
        claims={"exp": service["exp"]},
    )  # fmt: skip


def _caller(claims: Mapping[str, Any], typ: str, token: str) -> Caller:
    actor = str(claims.get("actor"))
    kinds = {
        ("access+jwt", "human"): CallerKind.CALLER_KIND_HUMAN,
        ("access+jwt", "agent"): CallerKind.CALLER_KIND_AGENT,
        ("delegation+jwt", "human"): CallerKind.CALLER_KIND_DELEGATION,
        ("delegation+jwt", "agent"): CallerKind.CALLER_KIND_DELEGATION,
        ("vote+jwt", "human"): CallerKind.CALLER_KIND_VOTER,
    }
    ids = [claims.get(name) for name in ("sub", "tenant", "identity")]
    agent, roles = claims.get("agent", ""), claims.get("roles", [])
    known = (typ, actor) in kinds and all(isinstance(i, str) and UUID.fullmatch(i) for i in ids)
    if not known or bool(agent) != (actor == "agent") or not isinstance(roles, list):
        raise Unauthenticated("the token's claims are not acceptable")
    return Caller(
        tenant=claims["tenant"], person=claims["sub"], identity=claims["identity"],
        actor=actor, agent=str(agent), roles=tuple(map(str, roles)),
        session=str(claims.get("sid", "")), kind=kinds[typ, actor],
        token_id=str(claims["jti"]), token=token,
        claims={key: value for key, value in claims.items() if key not in _NAMED},
    )  # fmt: skip


def _admit(method: Method, caller: Caller) -> None:
    """Raise CallerNotAllowed unless the policy names this caller."""
    policy, kind = method.policy, caller.kind
    if policy.public:
        return
    if kind not in policy.callers:
        delegated = CallerKind.CALLER_KIND_DELEGATION in policy.callers
        hint = ": exchange the access token for a delegation" if delegated else ""
        raise CallerNotAllowed(f"this kind of caller may not call it{hint}", kind=_word(kind))
    service, named = caller.service, caller.service in policy.services
    if kind == CallerKind.CALLER_KIND_SERVICE and policy.services and not named:
        raise CallerNotAllowed("this service may not call it", service=service)
    if kind == CallerKind.CALLER_KIND_VOTER and service and not named:
        raise CallerNotAllowed("a vote does not count in this service's hands", service=service)
    if kind == CallerKind.CALLER_KIND_DELEGATION and _DELEGATE not in (method.service, service):
        raise CallerNotAllowed("a delegation is honoured only in the hands of its service")


def _word(kind: CallerKind) -> str:
    return CallerKind.Name(kind).removeprefix("CALLER_KIND_")


def _bearer(metadata: Mapping[str, str | bytes], header: str) -> str:
    """The token of a header; empty without one, refused if it is no bearer token."""
    value = metadata.get(header)
    if value is None:
        return ""
    scheme, _, token = str(value).partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated(f"the {header} header holds no bearer token")
    return token
