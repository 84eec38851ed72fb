"""RetentionService on the wire."""

from typing import Any

from chenu.audit.v1 import retention_service_pb2 as messages
from chenu.audit.v1.retention_service_pb2_grpc import RetentionServiceServicer
from kernel.context import current
from services.audit.erasures import Erasures
from services.audit.retention import Retention


class RetentionServicer(RetentionServiceServicer):
    """Serves chenu.audit.v1.RetentionService."""

    def __init__(self, retention: Retention, erasures: Erasures) -> None:
        self._retention, self._erasures = retention, erasures

    async def EraseSubject(
        self, request: messages.EraseSubjectRequest, _: Any
    ) -> messages.EraseSubjectResponse:
        return await self._erasures.erase(current().caller, request.person_id, request.rule)

    async def ListErasures(
        self, request: messages.ListErasuresRequest, _: Any
    ) -> messages.ListErasuresResponse:
        page, token = await self._erasures.list(current().caller, request)
        return messages.ListErasuresResponse(erasures=map(_erasure, page), next_page_token=token)

    async def PlaceHold(
        self, request: messages.PlaceHoldRequest, _: Any
    ) -> messages.PlaceHoldResponse:
        row = await self._retention.place(current().caller, request)
        return messages.PlaceHoldResponse(hold=_hold(row))

    async def ReleaseHold(
        self, request: messages.ReleaseHoldRequest, _: Any
    ) -> messages.ReleaseHoldResponse:
        row = await self._retention.release(current().caller, request.hold_id)
        return messages.ReleaseHoldResponse(hold=_hold(row))

    async def ListHolds(
        self, request: messages.ListHoldsRequest, _: Any
    ) -> messages.ListHoldsResponse:
        rows = await self._retention.holds(current().caller)
        return messages.ListHoldsResponse(holds=[_hold(row) for row in rows])

    async def GetRetention(
        self, request: messages.GetRetentionRequest, _: Any
    ) -> messages.GetRetentionResponse:
        return messages.GetRetentionResponse(
            minimum_index=await self._retention.minimum_index(),
            retention_days=self._retention.days,
        )


def _erasure(row: Any) -> messages.Erasure:
    erasure = messages.Erasure(
        erasure_id=row["erasure_id"],
        person_id=row["person"],
        rule=row["rule"],
        identity_id=row["identity"],
        records=row["records"],
        pending_services=row["remaining"],
        outcome=row["outcome"],
    )
    erasure.start_time.FromDatetime(row["start_time"])
    if row["finish_time"] is not None:
        erasure.finish_time.FromDatetime(row["finish_time"])
    if row["again_time"] is not None:
        erasure.repeat_time.FromDatetime(row["again_time"])
    return erasure


def _hold(row: Any) -> messages.Hold:
    hold = messages.Hold(
        hold_id=row["hold_id"], person_id=row["person"] or "", matter=row["matter"]
    )
    hold.place_time.FromDatetime(row["place_time"])
    if row["release_time"] is not None:
        hold.release_time.FromDatetime(row["release_time"])
    return hold
