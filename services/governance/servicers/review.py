"""ReviewService: what people do about a checkpoint before they decide."""

from __future__ import annotations

from typing import Any

from chenu.governance.v1 import review_service_pb2 as messages
from chenu.governance.v1.checkpoint_pb2 import Checkpoint
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceServicer
from kernel.context import current
from services.governance.checkpoints import Checkpoints
from services.governance.reviews import Reviews


class ReviewServicer(ReviewServiceServicer):
    """Claims and remarks."""

    def __init__(self, reviews: Reviews, checkpoints: Checkpoints) -> None:
        self._reviews, self._checkpoints = reviews, checkpoints

    async def ClaimCheckpoint(
        self, request: messages.ClaimCheckpointRequest, context: Any
    ) -> messages.ClaimCheckpointResponse:
        await self._reviews.claim(current().caller, request.checkpoint_id, request.minutes)
        return messages.ClaimCheckpointResponse(checkpoint=await self._now(request))

    async def ReleaseCheckpoint(
        self, request: messages.ReleaseCheckpointRequest, context: Any
    ) -> messages.ReleaseCheckpointResponse:
        await self._reviews.release(current().caller, request.checkpoint_id)
        return messages.ReleaseCheckpointResponse(checkpoint=await self._now(request))

    async def AssignCheckpoint(
        self, request: messages.AssignCheckpointRequest, context: Any
    ) -> messages.AssignCheckpointResponse:
        await self._reviews.assign(
            current().caller, request.checkpoint_id, request.person_id, request.minutes
        )
        return messages.AssignCheckpointResponse(checkpoint=await self._now(request))

    async def CommentCheckpoint(
        self, request: messages.CommentCheckpointRequest, context: Any
    ) -> messages.CommentCheckpointResponse:
        await self._reviews.comment(
            current().caller, request.checkpoint_id, request.text, is_question=request.is_question
        )
        return messages.CommentCheckpointResponse(checkpoint=await self._now(request))

    async def _now(self, request: Any) -> Checkpoint:
        return await self._checkpoints.get(current().caller, request.checkpoint_id)
