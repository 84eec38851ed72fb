"""EligibilityService on the wire."""

from chenu.identity.v1.eligibility_service_pb2 import (
    CheckEligibilityRequest,
    CheckEligibilityResponse,
    ListApproversRequest,
    ListApproversResponse,
)
from chenu.identity.v1.eligibility_service_pb2_grpc import EligibilityServiceServicer
from kernel.context import current
from services.identity.eligibility import EligibilityChecks


class EligibilityServicer(EligibilityServiceServicer):
    """Who may decide."""

    def __init__(self, checks: EligibilityChecks) -> None:
        self._checks = checks

    async def CheckEligibility(
        self, request: CheckEligibilityRequest, _context: object
    ) -> CheckEligibilityResponse:
        eligibilities = await self._checks.check(current().caller, request)
        return CheckEligibilityResponse(eligibilities=eligibilities)

    async def ListApprovers(
        self, request: ListApproversRequest, _context: object
    ) -> ListApproversResponse:
        groups = await self._checks.approvers(current().caller, request)
        return ListApproversResponse(groups=groups)
