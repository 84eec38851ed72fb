"""`chenu audit alerts`: what is amiss between the services and the log."""

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import RenderableType

from chenu.audit.v1.alert_pb2 import Alert
from chenu.audit.v1.alert_service_pb2 import CloseAlertRequest, ListAlertsRequest
from chenu.audit.v1.alert_service_pb2_grpc import AlertServiceStub
from cli.command import PageOption
from cli.here import Here
from cli.problems import FAILED, OK
from cli.rendering import safe, table, when, word


async def list_alerts(
    here: Here,
    *,
    closed: Annotated[bool, typer.Option("--closed", help="Those that were mended, too.")] = False,
    page: PageOption = "",
) -> int:
    """List what is amiss with the way of events into the log; exits with 1 while something is.

    A hole that was filled closes its own alert.
    """
    answer = await here.connection.stub(AlertServiceStub).ListAlerts(
        ListAlertsRequest(page_token=page, include_closed=closed)
    )
    here.show(answer, lambda found: alerts_table(found.alerts))
    if answer.next_page_token:
        here.tell(f"more with --page {answer.next_page_token}")
    return FAILED if any(not one.HasField("close_time") for one in answer.alerts) else OK


async def close_alert(
    here: Here,
    alert_id: Annotated[str, typer.Argument(help="The alert's id: chenu audit alerts -o json.")],
    *,
    comment: Annotated[str, typer.Option(help="What was found, for whoever sees alerts.")],
) -> None:
    """Close an alert that does not mend itself, once you have looked into it.

    For people whom CHENU_AUDIT_SYSTEM_AUDITORS names. The very same is not raised again.

    [bold]chenu audit close-alert 0199… --comment "a test of the restore"[/bold]
    """
    answer = await here.connection.stub(AlertServiceStub).CloseAlert(
        CloseAlertRequest(alert_id=alert_id, comment=comment)
    )
    here.show(answer, lambda closed: alerts_table([closed.alert]))


def alerts_table(alerts: Iterable[Alert]) -> RenderableType:
    """Alerts, one line each."""
    return table(
        ("since", "what", "source", "about", "closed", "alert", "because"),
        (
            (
                when(one.open_time),
                word(one, "kind"),
                safe(one.source),
                safe(one.subject),
                when(one.close_time) if one.HasField("close_time") else "",
                one.alert_id,
                safe(one.close_comment),
            )
            for one in alerts
        ),
        empty="Nothing is amiss.",
    )
