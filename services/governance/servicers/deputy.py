"""DeputyService: who votes in whose place."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from chenu.governance.v1 import deputy_service_pb2 as messages
from chenu.governance.v1.deputy_service_pb2_grpc import DeputyServiceServicer
from kernel.context import current
from services.governance.review.deputies import Deputies


class DeputyServicer(DeputyServiceServicer):
    """The caller's deputies."""

    def __init__(self, deputies: Deputies) -> None:
        self._deputies = deputies

    async def AppointDeputy(
        self, request: messages.AppointDeputyRequest, context: Any
    ) -> messages.AppointDeputyResponse:
        deputy = await self._deputies.appoint(
            current().caller, request.deputy_person_id, request.end_time.ToDatetime(UTC)
        )
        return messages.AppointDeputyResponse(deputy=deputy)

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
