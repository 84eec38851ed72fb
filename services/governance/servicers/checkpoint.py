"""CheckpointService: what waits, and what people answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from chenu.governance.v1 import checkpoint_service_pb2 as messages
from chenu.governance.v1.checkpoint_pb2 import Checkpoint
from chenu.governance.v1.checkpoint_service_pb2_grpc import CheckpointServiceServicer
from kernel.context import current
from services.governance.messages import STATES
from services.governance.review.batches import Batches
from services.governance.review.checkpoints import Checkpoints
from services.governance.review.endings import Endings
from services.governance.review.lifecycle import Option, State
from services.governance.review.voters import only_bought_for
from services.governance.review.votes import Votes
from services.governance.review.watch import Watch


class CheckpointServicer(CheckpointServiceServicer):
    """Reads, votes and withdrawals."""

    def __init__(
        self, checkpoints: Checkpoints, watch: Watch, votes: Votes, endings: Endings
    ) -> None:
        self._checkpoints, self._watch = checkpoints, watch
        self._votes, self._endings = votes, endings
        self._batches = Batches(votes, checkpoints)

    async def GetCheckpoint(
        self, request: messages.GetCheckpointRequest, context: Any
    ) -> messages.GetCheckpointResponse:
        only_bought_for(current().caller, request.checkpoint_id)
        checkpoint = await self._checkpoints.get(current().caller, request.checkpoint_id)
        return messages.GetCheckpointResponse(checkpoint=checkpoint)

    async def ListCheckpoints(
        self, request: messages.ListCheckpointsRequest, context: Any
    ) -> messages.ListCheckpointsResponse:
        page, token, total = await self._checkpoints.page(current().caller, request)
        return messages.ListCheckpointsResponse(
            checkpoints=page, next_page_token=token, total_size=total
        )

    async def CountCheckpoints(
        self, request: messages.CountCheckpointsRequest, context: Any
    ) -> messages.CountCheckpointsResponse:
        counts = await self._checkpoints.count(current().caller)
        return messages.CountCheckpointsResponse(
            counts=[
                messages.CheckpointCount(state=STATES[state.value], count=counts.get(state, 0))
                for state in State
            ],
            pending=counts.get(State.PENDING, 0),
        )

    async def WatchCheckpoints(
        self, request: messages.WatchCheckpointsRequest, context: Any
    ) -> AsyncIterator[messages.WatchCheckpointsResponse]:
        async for checkpoint, cursor in self._watch.follow(current().caller, request.cursor):
            yield messages.WatchCheckpointsResponse(checkpoint=checkpoint, cursor=cursor)

    async def ApproveCheckpoint(
        self, request: messages.ApproveCheckpointRequest, context: Any
    ) -> messages.ApproveCheckpointResponse:
        return messages.ApproveCheckpointResponse(
            checkpoint=await self._vote(request, Option.APPROVE)
        )

    async def RejectCheckpoint(
        self, request: messages.RejectCheckpointRequest, context: Any
    ) -> messages.RejectCheckpointResponse:
        return messages.RejectCheckpointResponse(
            checkpoint=await self._vote(request, Option.REJECT)
        )

    async def ResolveCheckpoint(
        self, request: messages.ResolveCheckpointRequest, context: Any
    ) -> messages.ResolveCheckpointResponse:
        return messages.ResolveCheckpointResponse(
            checkpoint=await self._vote(request, Option(request.option_id))
        )

    async def BatchDecideCheckpoints(
        self, request: messages.BatchDecideCheckpointsRequest, context: Any
    ) -> messages.BatchDecideCheckpointsResponse:
        outcomes = await self._batches.decide(current().caller, request.decisions)
        return messages.BatchDecideCheckpointsResponse(outcomes=outcomes)

    async def CancelCheckpoint(
        self, request: messages.CancelCheckpointRequest, context: Any
    ) -> messages.CancelCheckpointResponse:
        caller = current().caller
        await self._endings.cancel(caller, request.checkpoint_id, request.reason)
        return messages.CancelCheckpointResponse(
            checkpoint=await self._checkpoints.get(caller, request.checkpoint_id)
        )

    async def SupersedeCheckpoints(
        self, request: messages.SupersedeCheckpointsRequest, context: Any
    ) -> messages.SupersedeCheckpointsResponse:
        ended = await self._endings.supersede(current().caller, request.run_id, request.reason)
        return messages.SupersedeCheckpointsResponse(checkpoint_ids=ended)

    async def _vote(self, request: Any, option: Option) -> Checkpoint:
        caller = current().caller
        return await self._votes.cast(
            caller, request.checkpoint_id, option, request.etag, request.comment
        )
