"""What people should be told of checkpoints, kept until courier has taken it.

The rows are written by the checkpoints' own trigger; no decision waits for anybody to read them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from chenu.governance.v1.approval_pb2 import ApprovalRequirement
from chenu.governance.v1.notice_service_pb2 import GetNoticeResponse, Notice, NoticeEvent
from kernel.caller import Caller
from kernel.database import Database, Record
from kernel.errors import Forbidden
from kernel.statement import Statement
from services.governance import messages
from services.governance.review.checkpoints import Checkpoints
from services.governance.review.eligibility import Eligibility

_EVENTS: Final = messages.words(NoticeEvent, "NOTICE_EVENT_")
_COLUMNS: Final = (
    "SELECT notice_id, checkpoint_id, tenant, identity, event, version, create_time FROM notices"
)
_LIST: Final = Statement(f"{_COLUMNS} ORDER BY notice_id LIMIT :size")
_GET: Final = Statement(f"{_COLUMNS} WHERE notice_id = :notice_id")
_PERSON: Final = Statement(
    "SELECT person FROM decisions JOIN checkpoints USING (tenant, decision_id)"
    " WHERE checkpoint_id = :checkpoint_id"
)
_ACKNOWLEDGE: Final = Statement(
    "DELETE FROM notices WHERE notice_id = ANY(CAST(:notice_ids AS uuid[]))"
)


class Notices:
    """A queue of rows without content; what they are about is read when it is told."""

    def __init__(
        self,
        database: Database,
        worker: Database,
        checkpoints: Checkpoints,
        eligibility: Eligibility,
        review_uri: str,
    ) -> None:
        self._database, self._worker = database, worker
        self._checkpoints, self._eligibility = checkpoints, eligibility
        self._review_uri = review_uri

    async def waiting(self, size: int) -> list[Notice]:
        """Those not yet acknowledged, the oldest first."""
        async with self._worker.work() as tx:
            rows = await tx.fetch(_LIST, size=size)
        return [_notice(row) for row in rows]

    async def tell(self, notice_id: str) -> GetNoticeResponse:
        """One of them with all that it is about, as its identity would see it now."""
        async with self._worker.work() as tx:
            row = await tx.fetch_one(_GET, notice_id=notice_id)
        if row is None:
            raise Forbidden(subject=f"notice/{notice_id}")
        owner = Caller.system(service="governance", tenant=row["tenant"], identity=row["identity"])
        checkpoint = await self._checkpoints.get(owner, row["checkpoint_id"])
        checkpoint.action = b""
        async with self._database.transaction(owner) as tx:
            asked: Any = await tx.fetch_one(_PERSON, checkpoint_id=row["checkpoint_id"])
        takes = _now(checkpoint.approval, escalated=checkpoint.escalated)
        stages = await self._eligibility.living(row["tenant"], row["identity"], takes)
        return GetNoticeResponse(
            notice=_notice(row),
            checkpoint=checkpoint,
            review_uri=self._review_uri.replace("{checkpoint_id}", row["checkpoint_id"]),
            person_id=asked["person"],
            approver_ids=sorted({person for stage in stages for person in stage}),
        )

    async def acknowledge(self, notice_ids: Sequence[str]) -> None:
        """Forget these."""
        async with self._worker.work() as tx:
            await tx.execute(_ACKNOWLEDGE, notice_ids=list(notice_ids))


def _now(requirement: ApprovalRequirement, *, escalated: bool) -> ApprovalRequirement:
    """The fallback is not asked before it is its turn."""
    takes = ApprovalRequirement()
    takes.CopyFrom(requirement)
    if not escalated:
        takes.ClearField("fallback")
    return takes


def _notice(row: Record) -> Notice:
    return Notice(
        notice_id=row["notice_id"],
        checkpoint_id=row["checkpoint_id"],
        tenant_id=row["tenant"],
        event=_EVENTS[row["event"]],
        version=row["version"],
        create_time=messages.stamp(row["create_time"]),
    )
