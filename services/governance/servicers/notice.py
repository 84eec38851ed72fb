"""NoticeService: what courier should tell people."""

from __future__ import annotations

from typing import Any

from chenu.governance.v1 import notice_service_pb2 as rpc
from chenu.governance.v1.notice_service_pb2_grpc import NoticeServiceServicer
from kernel.pagination import page_size
from services.governance.review.notices import Notices


class NoticeServicer(NoticeServiceServicer):
    """The queue of notices."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices

    async def ListNotices(
        self, request: rpc.ListNoticesRequest, context: Any
    ) -> rpc.ListNoticesResponse:
        notices = await self._notices.waiting(page_size(request.page_size))
        return rpc.ListNoticesResponse(notices=notices)

    async def GetNotice(self, request: rpc.GetNoticeRequest, context: Any) -> rpc.GetNoticeResponse:
        return await self._notices.tell(request.notice_id)

    async def AcknowledgeNotices(
        self, request: rpc.AcknowledgeNoticesRequest, context: Any
    ) -> rpc.AcknowledgeNoticesResponse:
        await self._notices.acknowledge(request.notice_ids)
        return rpc.AcknowledgeNoticesResponse()
