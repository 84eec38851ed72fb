"""`chenu reconcile`: what became of an action, where no executor knows."""

from typing import Annotated

import typer

from chenu.governance.v1.authorization_service_pb2 import GetAuthorizationRequest
from chenu.governance.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from chenu.governance.v1.outcome_service_pb2 import ReconcileOutcomeRequest
from chenu.governance.v1.outcome_service_pb2_grpc import OutcomeServiceStub
from cli.checkpoint_lookup import checkpoint_id
from cli.command import command
from cli.connection import Connection
from cli.here import Here
from cli.problems import UsageProblem
from cli.rendering import short, word
from cli.voting import get_checkpoint


async def reconcile(
    here: Here,
    done: Annotated[
        bool, typer.Option("--done/--not-done", help="What you found out.", show_default=False)
    ],
    which: Annotated[
        str, typer.Argument(metavar="[CHECKPOINT]", help="Whose action it was; or --decision.")
    ] = "",
    decision: Annotated[
        str, typer.Option("--decision", metavar="ID", help="Where no checkpoint was needed.")
    ] = "",
) -> None:
    """Settle an outcome that is UNKNOWN, once you looked whether it happened. It runs no more.

    [bold]chenu reconcile 3f9a2b41 --not-done[/bold]
    """
    if bool(which) is bool(decision):
        raise UsageProblem("name a checkpoint or a --decision")
    chosen = decision or await _decision_of(here.connection, which)
    answer = await here.connection.stub(OutcomeServiceStub).ReconcileOutcome(
        ReconcileOutcomeRequest(
            decision_id=chosen,
            state="EXECUTION_STATE_SUCCEEDED" if done else "EXECUTION_STATE_FAILED",
        )
    )
    here.show(answer, lambda told: f"Decision {short(told.decision_id)}: {word(told, 'state')}.")


async def _decision_of(connection: Connection, typed: str) -> str:
    found = await get_checkpoint(connection, await checkpoint_id(connection, typed))
    answer = await connection.stub(AuthorizationServiceStub).GetAuthorization(
        GetAuthorizationRequest(request_id=found.request_id)
    )
    return str(answer.verdict.decision.decision_id)


def register_commands(app: typer.Typer) -> None:
    """Add it to the application."""
    command(app, "reconcile", rich_help_panel="Deciding")(reconcile)
