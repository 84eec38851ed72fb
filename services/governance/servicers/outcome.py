"""OutcomeService: what executors report, and what people settle."""

from __future__ import annotations

from typing import Any

from chenu.governance.v1.outcome_service_pb2 import (
    ReconcileOutcomeRequest,
    ReconcileOutcomeResponse,
    ReportOutcomesRequest,
    ReportOutcomesResponse,
)
from chenu.governance.v1.outcome_service_pb2_grpc import OutcomeServiceServicer
from kernel.context import current
from services.governance.messages import EXECUTIONS, word_of
from services.governance.outcomes import Outcomes
from services.governance.review.lifecycle import Execution


class OutcomeServicer(OutcomeServiceServicer):
    """Reports and reconciliations."""

    def __init__(self, outcomes: Outcomes) -> None:
        self._outcomes = outcomes

    async def ReportOutcomes(
        self, request: ReportOutcomesRequest, context: Any
    ) -> ReportOutcomesResponse:
        settled = await self._outcomes.report(current().caller, request.outcomes)
        return ReportOutcomesResponse(settled=settled)

    async def ReconcileOutcome(
        self, request: ReconcileOutcomeRequest, context: Any
    ) -> ReconcileOutcomeResponse:
        state = Execution(word_of(EXECUTIONS, request.state))
        await self._outcomes.reconcile(current().caller, request.decision_id.lower(), state)
        return ReconcileOutcomeResponse(decision_id=request.decision_id, state=request.state)
