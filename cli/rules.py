"""`chenu rules`: what governance goes by."""

from collections.abc import Iterable

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from chenu.governance.v1 import decision_pb2
from chenu.governance.v1.rule_pb2 import Rule
from chenu.governance.v1.rule_service_pb2 import ListRulesRequest, ListRulesResponse
from chenu.governance.v1.rule_service_pb2_grpc import RuleServiceStub
from cli.command import command
from cli.here import Here
from cli.rendering import enum_word, safe, table, word


async def rules(here: Here) -> None:
    """List the rules in force; the most restrictive one that matches decides."""
    answer = await here.connection.stub(RuleServiceStub).ListRules(ListRulesRequest())
    here.show(answer, rules_view)


def rules_view(answer: ListRulesResponse) -> RenderableType:
    """The rules, one line each, and their revision."""
    return Group(_table(answer.rules), Text(f"revision {answer.revision}", style="dim"))


def _table(found: Iterable[Rule]) -> RenderableType:
    kinds = decision_pb2.DESCRIPTOR.enum_types_by_name["ActionKind"]
    return table(
        ("rule", "effect", "for", "when", "what it says"),
        (
            (
                safe(one.code),
                word(one, "effect"),
                ", ".join(enum_word(kinds, kind) for kind in one.kinds) or "everything",
                safe(one.condition),
                safe(one.description or one.name),
            )
            for one in found
        ),
        empty="No rules: what no rule allows waits for a person.",
    )


def register_commands(app: typer.Typer) -> None:
    """Add it to the application."""
    command(app, "rules", rich_help_panel="Deciding")(rules)
