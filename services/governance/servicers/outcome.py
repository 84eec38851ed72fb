"""OutcomeService: what executors report."""

from __future__ import annotations

from typing import Any

from chenu.governance.v1.outcome_service_pb2 import ReportOutcomesRequest, ReportOutcomesResponse
from chenu.governance.v1.outcome_service_pb2_grpc import OutcomeServiceServicer
from kernel.context import current
from services.governance.outcomes import Outcomes


class OutcomeServicer(OutcomeServiceServicer):
    """Takes reports in."""

    def __init__(self, outcomes: Outcomes) -> None:
        self._outcomes = outcomes

    async def ReportOutcomes(
        self, request: ReportOutcomesRequest, context: Any
    ) -> ReportOutcomesResponse:
        await self._outcomes.report(current().caller, request.outcomes)
        return ReportOutcomesResponse()
