"""AuthorizationService: verdicts as answers, or as the errors that stand for them."""

from __future__ import annotations

from typing import Any

from chenu.governance.v1.authorization_service_pb2 import (
    AuthorizeActionRequest,
    AuthorizeActionResponse,
    AuthorizeActionsRequest,
    AuthorizeActionsResponse,
    GetAuthorizationRequest,
    GetAuthorizationResponse,
    GetPermitKeySetRequest,
    GetPermitKeySetResponse,
)
from chenu.governance.v1.authorization_service_pb2_grpc import AuthorizationServiceServicer
from kernel.context import current
from services.governance.authorization import Authorization
from services.governance.permits import PermitKeys
from services.governance.refusals import raise_unless_permitted


class AuthorizationServicer(AuthorizationServiceServicer):
    """The one door, with its two handles."""

    def __init__(self, authorization: Authorization, permits: PermitKeys) -> None:
        self._authorization, self._permits = authorization, permits

    async def AuthorizeAction(
        self, request: AuthorizeActionRequest, context: Any
    ) -> AuthorizeActionResponse:
        (verdict,) = await self._authorization.authorize(current().caller, [request.action])
        raise_unless_permitted(verdict, request.action.action)
        return AuthorizeActionResponse(verdict=verdict)

    async def AuthorizeActions(
        self, request: AuthorizeActionsRequest, context: Any
    ) -> AuthorizeActionsResponse:
        verdicts = await self._authorization.authorize(current().caller, request.actions)
        return AuthorizeActionsResponse(verdicts=verdicts)

    async def GetAuthorization(
        self, request: GetAuthorizationRequest, context: Any
    ) -> GetAuthorizationResponse:
        verdict = await self._authorization.find(current().caller, request.request_id)
        return GetAuthorizationResponse(verdict=verdict)

    async def GetPermitKeySet(
        self, request: GetPermitKeySetRequest, context: Any
    ) -> GetPermitKeySetResponse:
        return GetPermitKeySetResponse(jwks=self._permits.jwks)
