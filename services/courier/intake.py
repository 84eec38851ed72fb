"""Takes governance's notices in: a row for each channel that should hear of one.

A lost wake-up is made good by asking again; a notice taken twice is kept once.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Final

import grpc
import structlog

from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu.governance.v1.notice_service_pb2 import (
    AcknowledgeNoticesRequest,
    GetNoticeRequest,
    GetNoticeResponse,
    ListNoticesRequest,
    Notice,
    NoticeEvent,
)
from chenu.governance.v1.notice_service_pb2_grpc import NoticeServiceStub
from kernel.caller import Caller
from kernel.channels import alone
from kernel.database import Database, Record
from kernel.statement import Statement
from services.courier import notifications
from services.courier.wording import content

NOTICES_SUBJECT: Final = "courier.notices"
_LISTENING: Final = Statement(
    "SELECT DISTINCT tenant FROM courier.channels"
    " WHERE tenant = ANY(CAST(:tenants AS uuid[])) AND NOT disabled"
)
# Of an identity's own checkpoints only that identity's channels hear, even where the person has
# other identities; of other people's, wherever the person listens.
_ADDRESSED: Final = Statement(
    "SELECT channel_id, tenant, identity, true AS asked FROM courier.channels"
    " WHERE tenant = :tenant AND NOT disabled AND person = ANY(CAST(:persons AS uuid[]))"
    " AND (identity = :identity OR person <> :asked)"
    " AND (kind IN ('webhook', 'slack') OR confirm_time IS NOT NULL) ORDER BY channel_id"
)
# Whoever was asked once and is not any more still has a card, which has to go.
_HOLDING_CARDS: Final = Statement(
    "SELECT DISTINCT channel_id, c.tenant, c.identity, false AS asked FROM courier.channels AS c"
    " JOIN courier.notifications AS n USING (channel_id) WHERE n.checkpoint_id = :checkpoint_id"
    " AND c.kind = 'slack_app' AND NOT c.disabled AND channel_id <> ALL(CAST(:told AS uuid[]))"
)
_OF_WHAT_ENDED: Final = (
    NoticeEvent.NOTICE_EVENT_RESOLVED,
    NoticeEvent.NOTICE_EVENT_CONTRADICTED,
)
_PAGE: Final = 200
_PATIENCE_SECONDS: Final = 86_400.0
_TOGETHER_SECONDS: Final = 0.05
_log: Final = structlog.get_logger(component="intake")


class Intake:
    """Asks governance when it is woken, and every now and then."""

    def __init__(
        self,
        database: Database,
        worker: Database,
        governance: NoticeServiceStub,
        every: float,
        taken: Callable[[], None],
    ) -> None:
        self._database, self._worker, self._governance = database, worker, governance
        self._every, self._taken = every, taken
        self._woken = asyncio.Event()

    async def wake(self, _data: bytes = b"") -> None:
        """There is something to take."""
        self._woken.set()

    async def run(self) -> None:
        """A background task of the service."""
        while True:
            try:
                more = await self.take() == _PAGE
            except grpc.aio.AioRpcError as error:
                _log.info("governance does not answer", code=error.code().name)
                more = False
            if not more:
                await self._pause()

    async def take(self) -> int:
        """Take one page in; how many notices governance may forget now."""
        with alone():
            answer = await self._governance.ListNotices(ListNoticesRequest(page_size=_PAGE))
        tenants = await self._listening({notice.tenant_id for notice in answer.notices})
        done = [
            notice.notice_id
            for notice in answer.notices
            if notice.tenant_id not in tenants or await self._kept(notice)
        ]
        if done:
            with alone():
                await self._governance.AcknowledgeNotices(
                    AcknowledgeNoticesRequest(notice_ids=done)
                )
        return len(done)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._every):
                await self._woken.wait()
            # What follows at once comes in the same page.
            await asyncio.sleep(_TOGETHER_SECONDS)
        except TimeoutError:
            return
        finally:
            self._woken.clear()

    async def _listening(self, tenants: set[str]) -> set[str]:
        async with self._worker.work() as tx:
            rows = await tx.fetch(_LISTENING, tenants=sorted(tenants))
        return {row["tenant"] for row in rows}

    async def _kept(self, notice: Notice) -> bool:
        """Whether it need not be told again: it is in rows, or it cannot be told."""
        try:
            with alone():
                told = await self._governance.GetNotice(
                    GetNoticeRequest(notice_id=notice.notice_id)
                )
        except grpc.aio.AioRpcError as error:
            gone = error.code() is grpc.StatusCode.PERMISSION_DENIED
            age = time.time() - notice.create_time.ToDatetime().timestamp()
            if not gone:
                _log.warning("notice not told", notice=notice.notice_id, code=error.code().name)
            return gone or age > _PATIENCE_SECONDS
        pending = told.checkpoint.state == CheckpointState.CHECKPOINT_STATE_PENDING
        if pending or notice.event in _OF_WHAT_ENDED:
            for channel in await self._addressed(told):
                await self._queue(channel, told)
        return True

    async def _addressed(self, told: GetNoticeResponse) -> Sequence[Record]:
        async with self._worker.work() as tx:
            asked = await tx.fetch(
                _ADDRESSED,
                tenant=told.notice.tenant_id,
                persons=list(told.approver_ids),
                identity=told.checkpoint.identity_id,
                asked=told.person_id,
            )
            if told.notice.event != NoticeEvent.NOTICE_EVENT_RESOLVED:
                return asked
            holding = await tx.fetch(
                _HOLDING_CARDS,
                checkpoint_id=told.checkpoint.checkpoint_id,
                told=[row["channel_id"] for row in asked],
            )
        return [*asked, *holding]

    async def _queue(self, channel: Record, told: GetNoticeResponse) -> None:
        owner = Caller.system(
            service="courier", tenant=channel["tenant"], identity=channel["identity"]
        )
        message = content(told)
        if not channel["asked"]:
            message["data"] |= {"question": "", "view": ""}
        async with self._database.transaction(owner) as tx:
            await notifications.add(
                tx,
                channel_id=channel["channel_id"],
                notice_id=told.notice.notice_id,
                checkpoint_id=told.checkpoint.checkpoint_id,
                about=told.checkpoint.identity_id,
                type=message["type"],
                view_digest=told.checkpoint.etag,
                body=json.dumps(message, ensure_ascii=False),
            )
        self._taken()
