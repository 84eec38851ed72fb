"""ReviewService: what people do about a checkpoint before they decide."""

from __future__ import annotations

from typing import Any

from chenu.governance.v1 import review_service_pb2 as messages
from chenu.governance.v1.checkpoint_pb2 import Checkpoint
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceServicer
from chenu_gate.action import Target
from chenu_gate.refusal import ActionRefused
from kernel.context import current
from services.governance.errors import EditRefused
from services.governance.review.checkpoints import Checkpoints
from services.governance.review.edits import Edit, Edits
from services.governance.review.reviews import Reviews


class ReviewServicer(ReviewServiceServicer):
    """Claims, edits and remarks."""

    def __init__(self, reviews: Reviews, edits: Edits, checkpoints: Checkpoints) -> None:
        self._reviews, self._edits, self._checkpoints = reviews, edits, checkpoints

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

    async def EditCheckpoint(
        self, request: messages.EditCheckpointRequest, context: Any
    ) -> messages.EditCheckpointResponse:
        wanted = Edit(
            arguments=request.arguments,
            targets=_targets(request) if request.HasField("targets") else None,
            target_sphere=request.target_sphere if request.HasField("target_sphere") else None,
        )
        await self._edits.edit(current().caller, request.checkpoint_id, request.etag, wanted)
        return messages.EditCheckpointResponse(checkpoint=await self._now(request))

    async def CommentCheckpoint(
        self, request: messages.CommentCheckpointRequest, context: Any
    ) -> messages.CommentCheckpointResponse:
        await self._reviews.comment(
            current().caller, request.checkpoint_id, request.text, is_question=request.is_question
        )
        return messages.CommentCheckpointResponse(checkpoint=await self._now(request))

    async def _now(self, request: Any) -> Checkpoint:
        return await self._checkpoints.get(current().caller, request.checkpoint_id)


def _targets(request: messages.EditCheckpointRequest) -> list[Target]:
    try:
        return [
            Target(type=one.type, id=one.id, version=one.version, name=one.name)
            for one in request.targets.targets
        ]
    except ActionRefused as refused:
        raise EditRefused(str(refused), cause=refused.cause) from None
