"""ReviewerService: how people decide, in figures."""

from __future__ import annotations

from typing import Any

from chenu.governance.v1 import reviewer_service_pb2 as rpc
from chenu.governance.v1.reviewer_service_pb2_grpc import ReviewerServiceServicer
from kernel.context import current
from services.governance.review.reviewers import Reviewers


class ReviewerServicer(ReviewerServiceServicer):
    """Reads them."""

    def __init__(self, reviewers: Reviewers) -> None:
        self._reviewers = reviewers

    async def ListReviewers(
        self, request: rpc.ListReviewersRequest, context: Any
    ) -> rpc.ListReviewersResponse:
        return await self._reviewers.figures(current().caller, request.days)
