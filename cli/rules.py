"""`chenu rules`: what governance goes by, as files that are tried out and promoted."""

import asyncio
import re
from collections.abc import Awaitable
from pathlib import Path
from typing import Annotated, Final
from uuid import uuid4

import typer

from chenu.governance.v1 import rule_service_pb2 as messages
from chenu.governance.v1.rule_pb2 import RuleDocument
from chenu.governance.v1.rule_service_pb2_grpc import RuleServiceStub
from cli.command import PageOption, command, default_command
from cli.here import Here
from cli.problems import Problem, UsageProblem
from cli.rule_explanation import explain
from cli.rule_files import RuleFile, written
from cli.rules_view import (
    cases_view,
    diff_view,
    promotion_view,
    replay_view,
    revisions_view,
    rules_view,
    shadow_view,
)

_NAME: Final = re.compile(r"sha256:[0-9a-f]{64}|[a-z][a-z0-9_-]{0,62}")
_FIELD: Final = re.compile(r"rules\[(.+)\]\.([a-z_]+)")
Source = Annotated[
    str, typer.Argument(metavar="FILE|REVISION", help="A file of rules, a revision or a label.")
]
File = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="YAML or JSON.")
]


async def rules(here: Here) -> None:
    """List the rules in force; the most restrictive one that matches decides."""
    answer = await _stub(here).ListRules(messages.ListRulesRequest())
    here.show(answer, rules_view)


async def constitution(here: Here) -> None:
    """Read the laws, and the rules that hold for everybody."""
    answer = await _stub(here).GetConstitution(messages.GetConstitutionRequest())
    here.show(answer, lambda told: str(told.text))


async def export(
    here: Here,
    revision: Annotated[str, typer.Argument(metavar="REVISION", help="Or a label.")] = "live",
    out: Annotated[Path | None, typer.Option(help="Write it there (.yaml or .json).")] = None,
) -> None:
    """Write a revision as a file that can be edited and put in again."""
    answer = await _stub(here).GetRuleRevision(messages.GetRuleRevisionRequest(revision=revision))
    if here.json:
        return here.show(answer, str)
    text = written(answer.revision.document, as_yaml=out is None or out.suffix != ".json")
    if out is None:
        return here.tell(text.rstrip())
    await asyncio.to_thread(out.write_text, text)
    here.tell(f"{answer.revision.rule_count} rules written to {out}")
    return None


async def lint(here: Here, file: File) -> None:
    """Compile a file of rules; all that is wrong is told with its place."""
    read = RuleFile(file)
    request = messages.CreateRuleRevisionRequest(document=read.document(), validate_only=True)
    answer = await _explained(read, _stub(here).CreateRuleRevision(request))
    here.show(answer, lambda told: f"{told.revision.rule_count} rules, {told.revision.revision}")


async def try_cases(
    here: Here,
    file: File,
    against: Annotated[
        str, typer.Option("--rules", metavar="FILE|REVISION", help="Other than the file names.")
    ] = "",
) -> int:
    """Judge the cases of a file, and fail unless all come out as they should.

    [bold]chenu rules test limits.test.yaml[/bold]
    """
    read = RuleFile(file)
    beside = read.rules_beside()
    request = messages.TestRulesRequest(cases=read.cases())
    source = against or (str(beside) if beside else "")
    if source:
        _fill(request, source)
    answer = await _stub(here).TestRules(request)
    here.show(answer, cases_view)
    return 1 if answer.failed else 0


async def diff(
    here: Here,
    source: Source,
    before: Annotated[str, typer.Argument(metavar="FILE|REVISION")] = "live",
) -> None:
    """Say what would be added, changed and removed, against what holds or another one."""
    after = await _document(here, source)
    here.show(after, diff_view(await _document(here, before)))


async def replay(
    here: Here,
    source: Source = "live",
    limit: Annotated[int, typer.Option(min=1, max=5000, help="The last so many.")] = 1000,
) -> None:
    """Judge the last decisions again by other rules, and tell which would come out otherwise."""
    request = messages.ReplayDecisionsRequest(limit=limit)
    _fill(request, source)
    answer = await _stub(here).ReplayDecisions(request)
    here.show(answer, lambda told: replay_view(told.replay))


async def shadow(
    here: Here,
    source: Source = "",
    off: Annotated[bool, typer.Option("--off", help="Judge nothing in the shadow.")] = False,
) -> None:
    """Have rules judged beside those that hold, and never enforced."""
    if bool(source) is off:
        raise UsageProblem("either what shall be judged in the shadow, or --off")
    revision = "" if off else await _revision(here, source)
    answer = await _stub(here).SetRuleLabel(
        messages.SetRuleLabelRequest(label="shadow", revision=revision)
    )
    here.show(answer, lambda told: f"shadow: {told.label.revision or 'nothing'}")


async def differences(
    here: Here,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    page: PageOption = "",
) -> None:
    """List what the rules in the shadow would have decided otherwise, the latest first."""
    answer = await _stub(here).ListShadowVerdicts(
        messages.ListShadowVerdictsRequest(page_size=limit, page_token=page)
    )
    here.show(answer, shadow_view)


async def revisions(
    here: Here,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    page: PageOption = "",
) -> None:
    """List the revisions that were put in, the latest first, with their labels."""
    answer = await _stub(here).ListRuleRevisions(
        messages.ListRuleRevisionsRequest(page_size=limit, page_token=page)
    )
    here.show(answer, revisions_view)


async def promote(here: Here, source: Source) -> None:
    """Ask for rules to hold. People decide it, with a replay of the last decisions before them.

    [bold]chenu rules promote limits.yaml[/bold]
    [bold]chenu rules promote built-in[/bold] takes the tenant's own rules back.
    """
    revision = "" if source == "built-in" else await _revision(here, source)
    answer = await _stub(here).PromoteRules(
        messages.PromoteRulesRequest(revision=revision, request_id=str(uuid4()))
    )
    here.show(answer, promotion_view)


def _stub(here: Here) -> RuleServiceStub:
    return here.connection.stub(RuleServiceStub)


def _fill(
    request: messages.TestRulesRequest | messages.ReplayDecisionsRequest, source: str
) -> None:
    """By a file, or by the name of what is there already."""
    if read := _file(source):
        request.document.CopyFrom(read.document())
    else:
        request.revision = _named(source)


async def _document(here: Here, source: str) -> RuleDocument:
    """As governance keeps it, with what a file leaves out filled in."""
    if read := _file(source):
        request = messages.CreateRuleRevisionRequest(document=read.document(), validate_only=True)
        answer = await _explained(read, _stub(here).CreateRuleRevision(request))
        return RuleDocument.FromString(answer.revision.document.SerializeToString())
    try:
        found = await _stub(here).GetRuleRevision(
            messages.GetRuleRevisionRequest(revision=_named(source))
        )
    except Problem as problem:
        if source == "live" and problem.reason == "FORBIDDEN":
            return RuleDocument()  # nothing of the tenant's own holds yet
        raise
    return RuleDocument.FromString(found.revision.document.SerializeToString())


async def _revision(here: Here, source: str) -> str:
    """The revision of a file, which is put in, or what is named."""
    read = _file(source)
    if read is None:
        return _named(source)
    request = messages.CreateRuleRevisionRequest(document=read.document())
    answer = await _explained(read, _stub(here).CreateRuleRevision(request))
    return str(answer.revision.revision)


def _file(source: str) -> RuleFile | None:
    return RuleFile(Path(source)) if Path(source).is_file() else None


def _named(source: str) -> str:
    if not _NAME.fullmatch(source):
        raise UsageProblem(f"{source}: no such file, and no name of a revision or label")
    return source


async def _explained(
    read: RuleFile, call: Awaitable[messages.CreateRuleRevisionResponse]
) -> messages.CreateRuleRevisionResponse:
    """The answer; what is wrong with the rules is told with its line in the file."""
    try:
        return await call
    except Problem as problem:
        if not problem.violations:
            raise
        told = {}
        for field, description in problem.violations.items():
            named = _FIELD.fullmatch(field)
            place = read.place(named[1], named[2]) if named else str(read.path)
            told[f"{place}: {named[1]} {named[2]}" if named else field] = description
        raise Problem(
            f"{read.path}: {len(told)} mistakes" if len(told) > 1 else f"{read.path}: a mistake",
            code=problem.code,
            reason=problem.reason,
            violations=told,
            next_step=f"mend it, then chenu rules lint {read.path}",
        ) from None


def register_commands(app: typer.Typer) -> None:
    """Add them to the application."""
    group = typer.Typer(invoke_without_command=True)
    default_command(group)(rules)
    for name, function in (
        ("constitution", constitution), ("explain", explain), ("export", export),
        ("lint", lint), ("test", try_cases),
        ("diff", diff), ("replay", replay), ("shadow", shadow), ("differences", differences),
        ("revisions", revisions), ("promote", promote),
    ):  # fmt: skip
        command(group, name)(function)
    app.add_typer(group, name="rules", rich_help_panel="Deciding")
