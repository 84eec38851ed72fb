"""`chenu audit watch|stats|violations`: the log as it grows, counted, and who crossed a line."""

from collections.abc import Iterable, Mapping
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from chenu.audit.v1.entry_service_pb2 import (
    GetStatisticsRequest,
    GetViolationReportRequest,
    GetViolationReportResponse,
    Statistic,
    StatisticsGroup,
    WatchEntriesRequest,
)
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from cli.here import Here, as_json
from cli.rendering import facts, one_line, safe, table, when
from cli.words import listed, number

FilterOption = Annotated[
    str, typer.Option(help='As AIP-160 writes it: "action = delete AND sphere = business".')
]


async def watch(here: Here, *, filter: FilterOption = "") -> None:  # noqa: A002 - the option's name
    """Print records as they enter the log, until Ctrl-C. That you read them is recorded too."""
    stub, cursor = here.connection.stub(EntryServiceStub), ""
    while True:  # a stream has a bounded life
        request = WatchEntriesRequest(cursor=cursor, filter=filter)
        async for answer in stub.WatchEntries(request, timeout=3600):
            cursor = answer.cursor
            if not answer.HasField("entry"):
                continue
            if here.json:
                here.write(as_json(answer), lines=True)
            event = answer.entry.event
            what = f"{answer.entry.index} {when(event.time)} {event.type.removeprefix('chenu.')}"
            here.tell(Text(f"{what} {one_line(event.subject, 60)} {safe(event.data.outcome)}"))


async def statistics(
    here: Here,
    *,
    by: Annotated[str, typer.Option(help=f"By which of {listed(StatisticsGroup)}.")] = "action",
    filter: FilterOption = "",  # noqa: A002 - the option's name
) -> None:
    """Count records by one of their properties.

    [bold]chenu audit stats --by day --filter "outcome = PERMISSION_DENIED"[/bold]
    """
    group = number(StatisticsGroup, by, "--by")
    answer = await here.connection.stub(EntryServiceStub).GetStatistics(
        GetStatisticsRequest(group_by=group, filter=filter)  # type: ignore[arg-type]
    )
    here.show(answer, lambda found: statistics_table(found.statistics))
    here.tell(f"{answer.total} records")


async def violations(here: Here) -> None:
    """Say what crossed a boundary, or tried to, in the last thirty days."""
    answer = await here.connection.stub(EntryServiceStub).GetViolationReport(
        GetViolationReportRequest()
    )
    here.show(answer, report_view)


def statistics_table(statistics: Iterable[Statistic]) -> RenderableType:
    """Counts, in the order of the values."""
    return table(
        ("value", "records", "refused", "first", "last"),
        (
            (safe(one.value), one.count, one.denials, when(one.first_time), when(one.last_time))
            for one in statistics
        ),
        empty="No records.",
    )


def report_view(report: GetViolationReportResponse) -> RenderableType:
    """By kind, by reason, and the latest."""
    return Group(
        Text(f"from {when(report.start_time)} to {when(report.end_time)}"),
        _counts("what audit found", report.kinds),
        _counts("refused calls by reason", report.denials),
        table(
            ("no.", "when", "whose", "kind", "by whom"),
            (
                (
                    one.index,
                    when(one.event.time),
                    one_line(one.event.subject, 60),
                    safe(one.event.data.details["kind"]),
                    safe(one.event.data.details["person"][-8:]),
                )
                for one in report.violations
            ),
            empty="Nobody reached for anything of yours.",
        ),
    )


def _counts(title: str, counts: Mapping[str, int]) -> RenderableType:
    rows = ((safe(name), count) for name, count in sorted(counts.items()))
    return Group(Text(title, style="bold"), facts(rows))
