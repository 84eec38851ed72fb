"""ResolutionService: what Nova missed."""

from __future__ import annotations

from typing import Any

from chenu.governance.v1.resolution_service_pb2 import (
    AcknowledgeResolutionsRequest,
    AcknowledgeResolutionsResponse,
    ListResolutionsRequest,
    ListResolutionsResponse,
)
from chenu.governance.v1.resolution_service_pb2_grpc import ResolutionServiceServicer
from kernel.pagination import page_size
from services.governance.review.resolutions import Resolutions


class ResolutionServicer(ResolutionServiceServicer):
    """The queue of resolutions."""

    def __init__(self, resolutions: Resolutions) -> None:
        self._resolutions = resolutions

    async def ListResolutions(
        self, request: ListResolutionsRequest, context: Any
    ) -> ListResolutionsResponse:
        resolutions = await self._resolutions.waiting(page_size(request.page_size))
        return ListResolutionsResponse(resolutions=resolutions)

    async def AcknowledgeResolutions(
        self, request: AcknowledgeResolutionsRequest, context: Any
    ) -> AcknowledgeResolutionsResponse:
        await self._resolutions.acknowledge(request.resolution_ids)
        return AcknowledgeResolutionsResponse()
