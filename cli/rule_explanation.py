"""`chenu rules explain`: what would be decided, by which rules, from what; nothing is done."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Group, RenderableType

from chenu.governance.v1.rule_pb2 import Evaluation
from chenu.governance.v1.rule_service_pb2 import EvaluateActionRequest, EvaluateActionResponse
from chenu.governance.v1.rule_service_pb2_grpc import RuleServiceStub
from chenu.nova.v1.run_pb2 import RunMode
from chenu_gate.action import Action, Principal
from chenu_gate.refusal import ActionRefused
from chenu_gate.trial_action import trial_action
from chenu_gate.view import short_digest
from cli.here import Here, as_json
from cli.problems import UsageProblem
from cli.rendering import facts, safe, table, word
from cli.running import Way, execute
from cli.view import named

What = Annotated[
    str,
    typer.Argument(
        metavar="ACTION|FILE|TEXT",
        help="An action as {kind: send, arguments: {…}}, a file of one, or words for Nova.",
    ),
]


async def explain(
    here: Here,
    what: What,
    rules: Annotated[
        str, typer.Option(metavar="REVISION", help="Or a label; else what holds.")
    ] = "",
    asked: Annotated[
        bool, typer.Option("--asked", help="As if whoever asks wanted a person to decide.")
    ] = False,
) -> None:
    """Say what would be decided of an action, by which rules and from what. Nothing is done.

    Of words Nova makes a plan, in a run that only simulates; its targets are not looked up.

    [bold]chenu rules explain '{kind: delete, tool: thread.delete}'[/bold]
    [bold]chenu rules explain "Delete the thread Taxes"[/bold]
    """
    stub = here.connection.stub(RuleServiceStub)
    actions = await _actions(here, what)
    for action in actions:
        request = EvaluateActionRequest(
            action=action.canonical(), revision=rules, requires_checkpoint=asked
        )
        answer = await stub.EvaluateAction(request)
        if here.json:
            here.write(as_json(answer), lines=len(actions) > 1)
        else:
            here.tell(explanation(action, answer))


async def _actions(here: Here, what: str) -> list[Action]:
    """What is to be judged, as the person's own."""
    session = here.connection.credentials.file.load()
    principal = Principal(session.tenant_id, session.user_id, session.identity_id)
    written = _written(what)
    if written is not None:
        return [_action(what, written, principal)]
    run = await execute(here.connection, what, Way(mode=RunMode.RUN_MODE_SIMULATION))
    if not run.actions:
        raise UsageProblem("Nova would do nothing for that: there is nothing to judge")
    return [
        trial_action(
            {
                "kind": word(planned, "kind"),
                "tool": planned.tool,
                "arguments": json.loads(planned.arguments),
                "source_sphere": word(run, "sphere"),
            },
            principal,
        )
        for planned in run.actions
    ]


def _written(what: str) -> str | None:
    """The text of an action, here or in a file; None where it is neither."""
    if what.lstrip().startswith("{"):
        return what
    try:
        return Path(what).read_text()
    except (OSError, UnicodeDecodeError):
        return None


def _action(source: str, text: str, principal: Principal) -> Action:
    try:
        return trial_action(yaml.safe_load(text), principal)
    except yaml.YAMLError as error:
        raise UsageProblem(f"{source}: {error}") from None
    except (ActionRefused, ValueError, TypeError) as error:
        raise UsageProblem(f"{source}: no action: {error}") from None


def explanation(action: Action, answer: EvaluateActionResponse) -> RenderableType:
    """The verdict, then every rule that matched, then what it was judged from."""
    evaluation = answer.evaluation
    matches = table(
        ("rule", "effect", "what it says", ""),
        (
            (safe(one.rule), word(one, "effect"), safe(one.description), _remark(one))
            for one in evaluation.matches
        ),
        empty="No rule knows it.",
    )
    known = json.loads(evaluation.facts)
    told = ((name, safe(str(value))) for name, value in sorted(known.items()) if value)
    verdict = facts(
        (
            ("action", f"{safe(action.tool.name)} ({action.kind.value})"),
            ("would be", word(evaluation, "effect")),
            ("by", safe(evaluation.rule)),
            *_approval(evaluation),
            ("rule set", short_digest(evaluation.revision)),
        )
    )
    return Group(verdict, matches, "judged from", facts(told))


def _remark(match: Any) -> str:
    if match.overridden_by:
        return f"set aside by {safe(match.overridden_by)}"
    return "cannot be evaluated, so it counts" if match.failed else ""


def _approval(evaluation: Evaluation) -> Iterator[tuple[str, Any]]:
    """What it would take, where a person would be asked."""
    yield "type", word(evaluation, "checkpoint_type").replace("_", " ")
    for warning in evaluation.warnings:
        yield "warning", safe(warning)
    for number, stage in enumerate(evaluation.approval.stages, 1):
        yield f"stage {number}", f"{stage.required} of {named(stage.approvers)}"
    if evaluation.approval.four_eyes:
        yield "four eyes", "not the requester, not whoever edited it"
