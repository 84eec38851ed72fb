"""FreezeService: the brake."""

from __future__ import annotations

from typing import Any

from chenu.governance.v1 import freeze_service_pb2 as rpc
from chenu.governance.v1.freeze_pb2 import FreezeScope
from chenu.governance.v1.freeze_service_pb2_grpc import FreezeServiceServicer
from kernel.context import current
from services.governance.holds.freezes import Freezes
from services.governance.operations import Operations


class FreezeServicer(FreezeServiceServicer):
    """Freezes, and asks for their lifting."""

    def __init__(self, freezes: Freezes, operations: Operations) -> None:
        self._freezes, self._operations = freezes, operations

    async def Freeze(self, request: rpc.FreezeRequest, context: Any) -> rpc.FreezeResponse:
        scope = FreezeScope.Name(request.scope).removeprefix("FREEZE_SCOPE_").lower()
        freeze = await self._freezes.freeze(current().caller, scope, request.value, request.reason)
        return rpc.FreezeResponse(freeze=freeze)

    async def LiftFreeze(
        self, request: rpc.LiftFreezeRequest, context: Any
    ) -> rpc.LiftFreezeResponse:
        freeze, verdict = await self._freezes.lift(
            current().caller, self._operations, request.freeze_id, request.request_id
        )
        return rpc.LiftFreezeResponse(freeze=freeze, verdict=verdict)

    async def ListFreezes(
        self, request: rpc.ListFreezesRequest, context: Any
    ) -> rpc.ListFreezesResponse:
        freezes, token = await self._freezes.page(current().caller, request)
        return rpc.ListFreezesResponse(freezes=freezes, next_page_token=token)

    async def GetFreezeState(
        self, request: rpc.GetFreezeStateRequest, context: Any
    ) -> rpc.GetFreezeStateResponse:
        return rpc.GetFreezeStateResponse(freezes=await self._freezes.state())
