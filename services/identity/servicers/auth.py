"""AuthService on the wire."""

from chenu.identity.v1.auth_service_pb2 import (
    ChangePasswordRequest,
    ChangePasswordResponse,
    GetMeRequest,
    GetMeResponse,
    LoginRequest,
    LoginResponse,
    LogoutRequest,
    LogoutResponse,
    RefreshSessionRequest,
    RefreshSessionResponse,
    RegisterRequest,
    RegisterResponse,
    SwitchIdentityRequest,
    SwitchIdentityResponse,
)
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceServicer
from kernel.context import current
from services.identity.identities import Identities
from services.identity.logins import Logins
from services.identity.refresh_tokens import RefreshTokens
from services.identity.users import Users

_BEARER = "Bearer"


class AuthServicer(AuthServiceServicer):
    """How a person comes in."""

    def __init__(
        self, users: Users, logins: Logins, refresh_tokens: RefreshTokens, identities: Identities
    ) -> None:
        self._users, self._logins = users, logins
        self._refresh_tokens, self._identities = refresh_tokens, identities

    async def Register(self, request: RegisterRequest, _context: object) -> RegisterResponse:
        session, secret = await self._users.register(request)
        return RegisterResponse(
            access_token=session.access_token,
            token_type=_BEARER,
            session=session,
            session_secret=secret,
        )

    async def Login(self, request: LoginRequest, _context: object) -> LoginResponse:
        session, secret = await self._logins.log_in(request)
        return LoginResponse(
            access_token=session.access_token,
            token_type=_BEARER,
            session=session,
            session_secret=secret,
        )

    async def RefreshSession(
        self, request: RefreshSessionRequest, _context: object
    ) -> RefreshSessionResponse:
        session = await self._refresh_tokens.exchange(request.refresh_token)
        return RefreshSessionResponse(
            access_token=session.access_token, token_type=_BEARER, session=session
        )

    async def Logout(self, request: LogoutRequest, _context: object) -> LogoutResponse:
        await self._logins.log_out(current().caller, all_sessions=request.all_sessions)
        return LogoutResponse()

    async def SwitchIdentity(
        self, request: SwitchIdentityRequest, _context: object
    ) -> SwitchIdentityResponse:
        return await self._identities.switch(current().caller, request.identity_id)

    async def ChangePassword(
        self, request: ChangePasswordRequest, _context: object
    ) -> ChangePasswordResponse:
        await self._logins.change_password(current().caller, request)
        return ChangePasswordResponse()

    async def GetMe(self, _request: GetMeRequest, _context: object) -> GetMeResponse:
        return await self._users.get_me(current().caller)
