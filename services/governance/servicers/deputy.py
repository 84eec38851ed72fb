"""DeputyService: who votes in whose place."""

from __future__ import annotations

from typing import Any

from chenu.governance.v1 import deputy_service_pb2 as messages
from chenu.governance.v1.deputy_service_pb2_grpc import DeputyServiceServicer
from kernel.context import current
from services.governance.operations import Operations
from services.governance.review.deputies import Deputies


class DeputyServicer(DeputyServiceServicer):
    """The caller's deputies."""

    def __init__(self, deputies: Deputies, operations: Operations) -> None:
        self._deputies, self._operations = deputies, operations

    async def AppointDeputy(
        self, request: messages.AppointDeputyRequest, context: Any
    ) -> messages.AppointDeputyResponse:
        verdict = await self._deputies.ask(self._operations, current().caller, request)
        return messages.AppointDeputyResponse(verdict=verdict)

    async def DismissDeputy(
        self, request: messages.DismissDeputyRequest, context: Any
    ) -> messages.DismissDeputyResponse:
        deputy = await self._deputies.dismiss(current().caller, request.deputy_id)
        return messages.DismissDeputyResponse(deputy=deputy)

    async def ListDeputies(
        self, request: messages.ListDeputiesRequest, context: Any
    ) -> messages.ListDeputiesResponse:
        return messages.ListDeputiesResponse(
            deputies=await self._deputies.in_force(current().caller)
        )
