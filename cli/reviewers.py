"""`chenu reviewers`: how people decide, in figures."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from chenu.governance.v1.reviewer_service_pb2 import ListReviewersRequest, ListReviewersResponse
from chenu.governance.v1.reviewer_service_pb2_grpc import ReviewerServiceStub
from cli.command import command
from cli.here import Here
from cli.rendering import duration, facts, short, table


async def reviewers(
    here: Here,
    days: Annotated[int, typer.Option(min=1, max=365, help="Of so many days.")] = 30,
) -> None:
    """Show how long decisions take, how many approve, what waits and what nobody decided in time.

    A warning stands where it looks as if nobody reads what they approve.
    """
    answer = await here.connection.stub(ReviewerServiceStub).ListReviewers(
        ListReviewersRequest(days=days)
    )
    here.show(answer, reviewers_view)


def reviewers_view(answer: ListReviewersResponse) -> RenderableType:
    """The queue, and a line for each person."""
    queue = facts(
        (
            ("waiting", answer.backlog),
            ("the oldest for", duration(answer.oldest_wait.ToTimedelta())),
            ("expired", f"{answer.expired_per_mille / 10:g} %"),
        )
    )
    people = table(
        ("person", "decisions", "approved", "median", ""),
        _rows(answer),
        empty="Nobody has decided anything in this time.",
    )
    return Group(queue, people)


def _rows(answer: ListReviewersResponse) -> Iterator[tuple[Any, ...]]:
    for one in answer.reviewers:
        yield (
            short(one.person_id),
            one.decisions,
            f"{one.approve_per_mille / 10:g} %",
            duration(one.median_decision_time.ToTimedelta()),
            Text("approves without reading?", style="yellow") if one.rubber_stamp else "",
        )


def register_commands(app: typer.Typer) -> None:
    """Add it to the application."""
    command(app, "reviewers", rich_help_panel="Deciding")(reviewers)
