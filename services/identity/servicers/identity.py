"""IdentityService on the wire."""

from chenu.identity.v1.identity_service_pb2 import (
    CreateIdentityRequest,
    CreateIdentityResponse,
    ListIdentitiesRequest,
    ListIdentitiesResponse,
)
from chenu.identity.v1.identity_service_pb2_grpc import IdentityServiceServicer
from kernel.context import current
from services.identity.identities import Identities


class IdentityServicer(IdentityServiceServicer):
    """The identities of the person who calls."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities

    async def CreateIdentity(
        self, request: CreateIdentityRequest, _context: object
    ) -> CreateIdentityResponse:
        identity = await self._identities.create(current().caller, request)
        return CreateIdentityResponse(identity=identity)

    async def ListIdentities(
        self, request: ListIdentitiesRequest, _context: object
    ) -> ListIdentitiesResponse:
        return await self._identities.list(current().caller, request)
