"""What is amiss with the delivery of events, as rows that people see and events in the log.

An alert is open until what it tells of is mended: a hole that was filled closes
its own. What cannot be undone (a conflict, poison) stays open until an auditor of
the system has looked and closed it; the very same, details too, is not raised again.
"""

from collections import Counter
from typing import Any, Final

import sqlalchemy as sa
import structlog
from prometheus_client import Gauge
from sqlalchemy.dialects.postgresql import insert

from kernel.context import new_id
from kernel.database import Record, Transaction
from kernel.statement import Statement
from services.audit import audit_events
from services.audit.errors import AlertMendsItself, AlertNotFound
from services.audit.tables import alerts

BUNDLE_HOLE: Final = "BUNDLE_HOLE"
VERSION_HOLE: Final = "VERSION_HOLE"
VERSION_TWICE: Final = "VERSION_TWICE"
MANIFEST_MISMATCH: Final = "MANIFEST_MISMATCH"
NUMBER_REUSED: Final = "NUMBER_REUSED"
SOURCE_REWOUND: Final = "SOURCE_REWOUND"
SOURCE_SILENT: Final = "SOURCE_SILENT"
CONFLICT: Final = "CONFLICT"
POISON: Final = "POISON"
ENTRY_CHANGED: Final = "ENTRY_CHANGED"
WITNESS_REFUSED: Final = "WITNESS_REFUSED"
WITNESS_SILENT: Final = "WITNESS_SILENT"
KINDS: Final = (
    BUNDLE_HOLE, VERSION_HOLE, VERSION_TWICE, MANIFEST_MISMATCH, NUMBER_REUSED, SOURCE_REWOUND,
    SOURCE_SILENT, CONFLICT, POISON, ENTRY_CHANGED, WITNESS_REFUSED, WITNESS_SILENT,
)  # fmt: skip
MEND_THEMSELVES: Final = (BUNDLE_HOLE, SOURCE_SILENT, WITNESS_REFUSED, WITNESS_SILENT)
_OPENED: Final = Gauge("chenu_audit_alerts_open", "Alerts of the audit log that are open", ["kind"])

_NAMES: Final = ("alert_id", "kind", "source", "subject", "details")
_given = {name: sa.bindparam(name, type_=alerts.c[name].type) for name in _NAMES}
_looked_into = sa.exists().where(
    *(alerts.c[name] == _given[name] for name in _NAMES if name != "alert_id"),
    alerts.c.close_comment != "",
)
_OPEN: Final = Statement(
    insert(alerts)
    .from_select(list(_NAMES), sa.select(*_given.values()).where(~_looked_into))
    .on_conflict_do_nothing()
    .returning(alerts.c.alert_id)
)
_named = [alerts.c[name] == sa.bindparam(name) for name in ("kind", "source", "subject")]
_CLOSE: Final = Statement(
    sa.update(alerts)
    .where(*_named, alerts.c.close_time.is_(None))
    .values(close_time=sa.func.clock_timestamp())
    .returning(alerts.c.alert_id)
)
_SETTLE: Final = Statement(
    sa.update(alerts)
    .where(
        alerts.c.alert_id == sa.bindparam("which"),
        alerts.c.close_time.is_(None),
        *(alerts.c.kind != kind for kind in MEND_THEMSELVES),
    )
    .values(close_time=sa.func.clock_timestamp(), close_comment=sa.bindparam("comment"))
    .returning(alerts)
)
_GET: Final = Statement(sa.select(alerts).where(alerts.c.alert_id == sa.bindparam("which")))
_LIST: Final = Statement(
    sa.select(alerts)
    .where(
        sa.or_(sa.bindparam("closed_too", type_=sa.Boolean), alerts.c.close_time.is_(None)),
        sa.or_(
            sa.bindparam("before", type_=alerts.c.alert_id.type).is_(None),
            alerts.c.alert_id < sa.bindparam("before", type_=alerts.c.alert_id.type),
        ),
    )
    .order_by(alerts.c.alert_id.desc())
    .limit(sa.bindparam("size", type_=sa.Integer))
)
_COUNTS: Final = Statement(
    sa.select(alerts.c.kind, sa.func.count().label("open"))
    .where(alerts.c.close_time.is_(None))
    .group_by(alerts.c.kind)
)
_log = structlog.get_logger(component="alerts")


async def raise_alert(
    tx: Transaction, kind: str, source: str, subject: str, **details: str
) -> None:
    """Open an alert, once for as long as it is open."""
    alert_id = new_id()
    opened = await tx.fetch_one(
        _OPEN, alert_id=alert_id, kind=kind, source=source, subject=subject, details=details
    )
    if opened is not None:
        _log.error("alert", kind=kind, source=source, subject=subject, **details)
        tx.keep(audit_events.alert_changed("opened", alert_id, kind, source, subject))


async def close_alert(tx: Transaction, kind: str, source: str, subject: str) -> None:
    """What it told of is mended; nothing to do where none is open."""
    closed = await tx.fetch_one(_CLOSE, kind=kind, source=source, subject=subject)
    if closed is not None:
        _log.info("alert closed", kind=kind, source=source, subject=subject)
        tx.keep(audit_events.alert_changed("closed", closed["alert_id"], kind, source, subject))


async def settle_alert(tx: Transaction, alert_id: str, comment: str) -> Record:
    """Close what somebody has looked into; one that is closed stays as it is.

    AlertNotFound; AlertMendsItself where it will close without anybody.
    """
    row = await tx.fetch_one(_SETTLE, which=alert_id, comment=comment)
    if row is not None:
        named = (row["kind"], row["source"], row["subject"])
        tx.emit(audit_events.alert_changed("closed", alert_id, *named, comment=comment))
        return row
    row = await tx.fetch_one(_GET, which=alert_id)
    if row is None:
        raise AlertNotFound
    if row["close_time"] is None:
        raise AlertMendsItself(kind=row["kind"])
    return row


async def list_alerts(
    tx: Transaction, *, size: int, closed_too: bool, before: str | None
) -> list[Record]:
    """The latest first."""
    return await tx.fetch(_LIST, size=size, closed_too=closed_too, before=before)


async def measure(tx: Transaction) -> None:
    """Put the number of open alerts of each kind where the metrics are read."""
    counted: Counter[str] = Counter()
    rows: list[Any] = await tx.fetch(_COUNTS)
    for row in rows:
        counted[row["kind"]] = row["open"]
    for kind in KINDS:
        _OPENED.labels(kind).set(counted[kind])
