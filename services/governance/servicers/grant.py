"""GrantService: what a person need not be asked each time."""

from __future__ import annotations

from typing import Any

from chenu.governance.v1 import grant_service_pb2 as rpc
from chenu.governance.v1.grant_service_pb2_grpc import GrantServiceServicer
from kernel.context import current
from services.governance.holds.grants import Grants
from services.governance.operations import Operations


class GrantServicer(GrantServiceServicer):
    """Asks for, lists and revokes grants."""

    def __init__(self, grants: Grants, operations: Operations) -> None:
        self._grants, self._operations = grants, operations

    async def CreateGrant(
        self, request: rpc.CreateGrantRequest, context: Any
    ) -> rpc.CreateGrantResponse:
        verdict = await self._grants.ask(self._operations, current().caller, request)
        return rpc.CreateGrantResponse(verdict=verdict)

    async def ListGrants(
        self, request: rpc.ListGrantsRequest, context: Any
    ) -> rpc.ListGrantsResponse:
        grants, token = await self._grants.page(current().caller, request)
        return rpc.ListGrantsResponse(grants=grants, next_page_token=token)

    async def RevokeGrant(
        self, request: rpc.RevokeGrantRequest, context: Any
    ) -> rpc.RevokeGrantResponse:
        grant = await self._grants.revoke(current().caller, request.grant_id)
        return rpc.RevokeGrantResponse(grant=grant)
