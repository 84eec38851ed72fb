"""RPC in, alerts out."""

from hashlib import sha256
from typing import Any, Final

from chenu.audit.v1 import alert_service_pb2 as messages
from chenu.audit.v1.alert_pb2 import Alert
from chenu.audit.v1.alert_service_pb2_grpc import AlertServiceServicer
from kernel.context import current
from kernel.database import Database
from kernel.pagination import PageTokens, page_size
from services.audit import alerts
from services.audit.system_auditors import SystemAuditors

_NAMES_A_STREAM: Final = frozenset({alerts.VERSION_HOLE, alerts.VERSION_TWICE})


class AlertServicer(AlertServiceServicer):
    """Serves chenu.audit.v1.AlertService."""

    def __init__(self, worker: Database, pages: PageTokens, auditors: SystemAuditors) -> None:
        self._worker, self._pages, self._auditors = worker, pages, auditors

    async def ListAlerts(
        self, request: messages.ListAlertsRequest, _: Any
    ) -> messages.ListAlertsResponse:
        size = page_size(request.page_size, maximum=200)
        after = self._pages.decode(request.page_token, request)
        async with self._worker.work() as tx:
            rows = await alerts.list_alerts(
                tx,
                size=size + 1,
                closed_too=request.include_closed,
                before=after["alert"] if after else None,
            )
        page, token = self._pages.page(rows, size, request, lambda row: {"alert": row["alert_id"]})
        return messages.ListAlertsResponse(alerts=map(_message, page), next_page_token=token)

    async def CloseAlert(
        self, request: messages.CloseAlertRequest, _: Any
    ) -> messages.CloseAlertResponse:
        self._auditors.require(current().caller)
        async with self._worker.work() as tx:
            row = await alerts.settle_alert(tx, request.alert_id, request.comment)
        return messages.CloseAlertResponse(alert=_message(row))


def _message(row: Any) -> Alert:
    subject = row["subject"]
    if row["kind"] in _NAMES_A_STREAM:
        subject = f"stream/{sha256(subject.encode()).hexdigest()[:16]}"
    alert = Alert(
        alert_id=row["alert_id"],
        kind=f"ALERT_KIND_{row['kind']}",
        source=row["source"],
        subject=subject,
        close_comment=row["close_comment"],
    )
    alert.open_time.FromDatetime(row["open_time"])
    if row["close_time"] is not None:
        alert.close_time.FromDatetime(row["close_time"])
    return alert
