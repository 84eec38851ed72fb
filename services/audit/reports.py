"""Counting entries: statistics, and what crossed a boundary. Each look is itself recorded."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from chenu.audit.v1 import entry_service_pb2 as messages
from chenu.audit.v1.entry_service_pb2 import StatisticsGroup
from chenu.events.v1.audit_event_pb2 import AuditAction
from kernel.caller import SYSTEM_TENANT, Caller
from kernel.database import Database
from kernel.errors import InvalidArgument
from kernel.statement import Statement
from services.audit import audit_events
from services.audit.entries import entry_of, widen
from services.audit.matching import matching, parameters
from services.audit.tables import entries

_e: Final = entries.c
_GROUPS: Final[dict[int, Any]] = {
    StatisticsGroup.STATISTICS_GROUP_UNSPECIFIED: _e.action,
    StatisticsGroup.STATISTICS_GROUP_ACTION: _e.action,
    StatisticsGroup.STATISTICS_GROUP_OUTCOME: _e.outcome,
    StatisticsGroup.STATISTICS_GROUP_SOURCE: _e.source,
    StatisticsGroup.STATISTICS_GROUP_SPHERE: _e.sphere,
    StatisticsGroup.STATISTICS_GROUP_METHOD: _e.method,
    StatisticsGroup.STATISTICS_GROUP_DAY: sa.func.to_char(
        sa.func.timezone("UTC", _e.event_time), "YYYY-MM-DD"
    ),
}
_ROWS: Final = 1000
_SPAN: Final = timedelta(days=30)
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC) + _SPAN
_leaf = sa.cast(sa.func.convert_from(_e.leaf, "UTF8"), sa.dialects.postgresql.JSONB)
_span = sa.and_(_e.event_time >= sa.bindparam("start"), _e.event_time < sa.bindparam("end"))
_mine = sa.or_(sa.bindparam("all", type_=sa.Boolean), _e.identity == sa.bindparam("me"))
_violation: Any = sa.literal_column(str(int(AuditAction.AUDIT_ACTION_IDENTITY_VIOLATION)))
_found = sa.and_(_e.action == _violation, _span, _mine)  # as its index has it
_times = sa.cast(_leaf[("data", "details", "count")].astext, sa.BigInteger)
_kind = _leaf[("data", "details", "kind")].astext
_reason = _leaf[("data", "reason")].astext
_credential = _leaf[("data", "details", "credential")].astext
_KINDS: Final = Statement(
    sa.select(_kind.label("name"), sa.func.count().label("times")).where(_found).group_by(_kind)
)
_LATEST: Final = Statement(sa.select(entries).where(_found).order_by(_e.index.desc()).limit(100))
_DENIALS: Final = Statement(
    sa.select(
        _reason.label("name"), sa.func.sum(sa.func.coalesce(_times, 1)).label("times")
    )
    .where(_e.denial, _e.action == AuditAction.AUDIT_ACTION_DENY, _span, _mine)
    .group_by(_reason)
)  # fmt: skip
_NOBODYS: Final = Statement(
    sa.select(_credential.label("name"), sa.func.sum(_times).label("times"))
    .where(_e.denial, _e.tenant == SYSTEM_TENANT, _credential.is_not(None), _span)
    .group_by(_credential)
)
_OF_CREDENTIAL: Final = {"none": "missing_identity", "refused": "invalid_identity"}


class Reports:
    """The use cases that count."""

    def __init__(self, database: Database, worker: Database) -> None:
        self._database, self._worker = database, worker

    async def statistics(
        self, caller: Caller, request: messages.GetStatisticsRequest
    ) -> messages.GetStatisticsResponse:
        """Records by one property."""
        statement = _statistics(request.group_by, request.filter)
        nothing = messages.ListEntriesRequest()
        async with self._database.transaction(caller) as tx:
            wanted = parameters(nothing, await widen(tx, caller), caller)
            rows = await tx.fetch(statement, **wanted)
            total = sum(row["times"] for row in rows)
            tx.emit(audit_events.entries_read("statistics", total))
        answer = messages.GetStatisticsResponse(total=total)
        by_action = _GROUPS[request.group_by] is _e.action
        for row in rows:
            value = _word(row["value"]) if by_action else str(row["value"] or "")
            one = answer.statistics.add(value=value, count=row["times"], denials=row["denials"])
            if row["first"] is not None:
                one.first_time.FromDatetime(row["first"])
                one.last_time.FromDatetime(row["last"])
        if by_action:
            answer.statistics.sort(key=lambda one: one.value)
        return answer

    async def violations(
        self, caller: Caller, request: messages.GetViolationReportRequest
    ) -> messages.GetViolationReportResponse:
        """What crossed a boundary, or tried to."""
        end = _moment(request, "end_time") or datetime.now(UTC)
        start = _moment(request, "start_time") or max(end, _EARLIEST) - _SPAN
        span = {"start": start, "end": end}
        async with self._database.transaction(caller) as tx:
            mine = {"all": await widen(tx, caller), "me": caller.identity}
            latest = await tx.fetch(_LATEST, **span, **mine)  # first: what is shown is counted
            kinds = await tx.fetch(_KINDS, **span, **mine)
            denials = await tx.fetch(_DENIALS, **span, **mine)
            tx.emit(audit_events.entries_read("violations", len(latest)))
        async with self._worker.work() as work:  # numbers only: these records are nobody's
            nobodys = await work.fetch(_NOBODYS, **span)
        answer = messages.GetViolationReportResponse(
            kinds={row["name"]: row["times"] for row in kinds}
            | {_OF_CREDENTIAL[row["name"]]: int(row["times"]) for row in nobodys},
            denials={row["name"]: int(row["times"]) for row in denials},
            violations=[entry_of(row, caller) for row in latest],
        )
        answer.start_time.FromDatetime(start)
        answer.end_time.FromDatetime(end)
        return answer


def _statistics(group: int, filter_text: str) -> Statement:
    column = _GROUPS[group]
    return Statement(
        sa.select(
            column.label("value"),
            sa.func.count().label("times"),
            sa.func.count().filter(_e.denial).label("denials"),
            sa.func.min(_e.event_time).label("first"),
            sa.func.max(_e.event_time).label("last"),
        )
        .where(*matching(filter_text))
        .group_by(sa.text("1"))
        .order_by(sa.text("1"))
        .limit(_ROWS)
    )


def _word(action: int) -> str:
    return AuditAction.Name(action).removeprefix("AUDIT_ACTION_").lower()


def _moment(request: messages.GetViolationReportRequest, name: str) -> datetime | None:
    if not request.HasField(name):
        return None
    try:
        moment: datetime = getattr(request, name).ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidArgument(f"{name} is no time between the years 1 and 9999") from None
    return moment
