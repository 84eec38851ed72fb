"""Which token a call goes out with: the caller's own, a delegation, or a vote token."""

import hmac
import time
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

import jwt
from buf.validate import validate_pb2
from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response

from chenu.events.v1.method_policy_pb2 import CallerKind
from chenu.identity.v1.auth_service_pb2 import SwitchIdentityRequest
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from chenu.identity.v1.token_service_pb2 import (
    Ballot,
    ExchangeDelegationRequest,
    IssueVoteTokenRequest,
    RedeemStreamTicketRequest,
)
from chenu.identity.v1.token_service_pb2_grpc import TokenServiceStub
from kernel.channels import Channels, acting_as, alone
from kernel.errors import InvalidArgument, PermissionDenied, Unauthenticated
from services.gateway.contract import Binding

SESSION_COOKIE: Final = "chenu_session"
CSRF_COOKIE: Final = "chenu_csrf"
CSRF_HEADER: Final = "x-csrf-token"
TICKET: Final = "ticket"
IDENTITY_HEADER: Final = "x-che-nu-identity"
_TAKES_SESSION: Final = "session_secret"
_CACHED: Final = 10_000
_MARGIN_SECONDS: Final = 30


class SessionMissing(Unauthenticated):
    """It takes the session of a person who is logged in; an access token is not enough."""

    reason = "SESSION_REQUIRED"


class CsrfRefused(Unauthenticated):
    """The cookie came without the word that only the application's own page knows."""

    reason = "CSRF_TOKEN_INVALID"


class ForeignPage(PermissionDenied):
    """Somebody else's page would log whoever looks at it in as somebody it chose."""

    reason = "ORIGIN_NOT_ALLOWED"


class Credentials:
    """Exchanges what a request brings for what its RPC takes."""

    def __init__(self, channels: Channels) -> None:
        self._auth = AuthServiceStub(channels.channel("identity"))
        self._tokens = TokenServiceStub(channels.channel("identity"))
        self._exchanged: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    async def token_for(self, binding: Binding, request: Request, message: Message) -> str:
        """The token for this RPC; empty where it is public."""
        if binding.policy.public:
            return ""
        if binding.is_for(CallerKind.CALLER_KIND_VOTER):
            return await self._vote_token(request, message)
        access = _bearer(request)
        if not access and binding.sends_events and TICKET in request.query_params:
            access = await self._redeem(request.query_params[TICKET], request.url.path)
        if not access:
            # Without it the call would go out under the gateway's own token, as the gateway.
            raise Unauthenticated("log in and send the access_token as Authorization: Bearer")
        identity = request.headers.get(IDENTITY_HEADER, "")
        if binding.service == "nova":
            return await self._exchange("delegation", access, identity)
        return await self._exchange("access", access, identity) if identity else access

    async def _redeem(self, ticket: str, path: str) -> str:
        with alone():
            answer = await self._tokens.RedeemStreamTicket(
                RedeemStreamTicketRequest(ticket=ticket, path=path)
            )
        return answer.access_token

    async def _vote_token(self, request: Request, message: Message) -> str:
        secret = _session_secret(request)
        etag: str = getattr(message, "etag", "")
        decisions = getattr(message, "decisions", ())
        if not etag and not decisions:
            raise InvalidArgument("send the etag of the view you saw, or If-Match", field="etag")
        with alone():
            answer = await self._tokens.IssueVoteToken(
                IssueVoteTokenRequest(
                    session_secret=secret,
                    checkpoint_id=getattr(message, "checkpoint_id", ""),
                    view_digest=etag,
                    identity_id=request.headers.get(IDENTITY_HEADER, ""),
                    ballots=[
                        Ballot(checkpoint_id=one.checkpoint_id, view_digest=one.etag)
                        for one in decisions
                    ],
                )
            )
        return answer.vote_token

    async def _exchange(self, purpose: str, access: str, identity: str) -> str:
        """Another token for the same session, cached until shortly before either of them ends."""
        key = sha256(f"{purpose}\0{identity}\0{access}".encode()).digest()
        cached = self._exchanged.get(key)
        if cached and cached[1] > time.time() + _MARGIN_SECONDS:
            self._exchanged.move_to_end(key)
            return cached[0]
        with acting_as(access):
            if purpose == "delegation":
                delegation = await self._tokens.ExchangeDelegation(
                    ExchangeDelegationRequest(identity_id=identity)
                )
                token, expiry = delegation.delegation_token, delegation.expire_time
            else:
                switched = await self._auth.SwitchIdentity(
                    SwitchIdentityRequest(identity_id=identity)
                )
                token, expiry = switched.access_token, switched.access_expire_time
        # Identity has just believed it, so its claims can be read without its key.
        end: int = jwt.decode(access, options={"verify_signature": False})["exp"]
        self._exchanged[key] = (token, min(expiry.seconds, end))
        while len(self._exchanged) > _CACHED:
            self._exchanged.popitem(last=False)
        return token


def csrf_token(session_secret: str) -> str:
    """What a page must send beside the session's cookie; nobody can make it from nothing."""
    return sha256(b"chenu csrf\0" + session_secret.encode()).hexdigest()[:32]


def refuse_foreign_page(request: Request, origins: Sequence[str]) -> None:
    """Raise ForeignPage where a browser says that another site's page sends this.

    A form can post what reads as JSON, and asks nobody before.
    """
    foreign = request.headers.get("sec-fetch-site", "") == "cross-site"
    if foreign and request.headers.get("origin", "") not in origins:
        raise ForeignPage("a page of another site cannot log in here; CORS_ORIGINS names who can")


def set_session(response: Response, secret: str, *, secure: bool) -> None:
    """Keep the session secret where no script can read it."""
    response.set_cookie(
        SESSION_COOKIE, secret, httponly=True, samesite="strict", secure=secure, path="/api/v2"
    )
    response.set_cookie(CSRF_COOKIE, csrf_token(secret), samesite="strict", secure=secure, path="/")


def end_session(response: Response) -> None:
    """Forget the session."""
    response.delete_cookie(SESSION_COOKIE, path="/api/v2")
    response.delete_cookie(CSRF_COOKIE, path="/")


def add_session(request: Request, message: Message) -> None:
    """Give a request that takes the session's secret the one of the cookie, where it brings none.

    What a browser keeps no script can read. Where it may be left out, whoever is asked knows
    whether it is needed.
    """
    field = message.DESCRIPTOR.fields_by_name.get(_TAKES_SESSION)
    if field is None or getattr(message, _TAKES_SESSION):
        return
    try:
        setattr(message, _TAKES_SESSION, _session_secret(request))
    except Unauthenticated:
        options: Any = field.GetOptions()
        if options.Extensions[validate_pb2.field].ignore != validate_pb2.IGNORE_IF_ZERO_VALUE:
            raise


def _session_secret(request: Request) -> str:
    """The cookie's, if the application's own page has sent it."""
    secret = request.cookies.get(SESSION_COOKIE, "")
    if not secret:
        raise SessionMissing("log in: this takes the session's cookie, not an access token")
    sent = request.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(sent.encode(), csrf_token(secret).encode()):
        raise CsrfRefused(f"send the csrf_token of your log-in as {CSRF_HEADER}")
    return secret


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not (token.isascii() and token.isprintable()):
        raise Unauthenticated("the token is malformed")  # gRPC cannot even carry it
    return token.strip() if scheme.lower() == "bearer" else ""
