"""Rules and what was tried with them, as people read it."""

import difflib
from collections.abc import Callable, Iterable
from operator import attrgetter

from rich.console import Group, RenderableType
from rich.text import Text

from chenu.governance.v1 import decision_pb2
from chenu.governance.v1.rule_pb2 import Replay, ReplayedDecision, Rule, RuleDocument
from chenu.governance.v1.rule_service_pb2 import (
    ListRuleRevisionsResponse,
    ListRulesResponse,
    ListShadowVerdictsResponse,
    PromoteRulesResponse,
    TestRulesResponse,
)
from cli.rendering import ago, enum_word, one_line, safe, short, table, when, word
from cli.rule_files import written

_NO_RULES = "No rules: what no rule allows waits for a person."


def rules_view(answer: ListRulesResponse) -> RenderableType:
    """The rules, one line each, and their revision."""
    return Group(_table(answer.rules), Text(f"revision {answer.revision}", style="dim"))


def revisions_view(answer: ListRuleRevisionsResponse) -> RenderableType:
    """Revisions, one line each."""
    return table(
        ("revision", "labels", "rules", "made", "why"),
        (
            (
                one.revision,
                safe(", ".join(one.labels)),
                one.rule_count,
                ago(one.create_time),
                one_line(one.description, 60),
            )
            for one in answer.revisions
        ),
        empty="No rules of your own: the built-in ones hold alone.",
    )


def cases_view(answer: TestRulesResponse) -> RenderableType:
    """What came out of each case."""
    found = table(
        ("", "case", "effect", "rule", "what is wrong"),
        (
            (
                "ok" if one.passed else "FAILED",
                safe(one.name),
                word(one.evaluation, "effect"),
                safe(one.evaluation.rule),
                safe(one.message),
            )
            for one in answer.results
        ),
        empty="No cases.",
    )
    return Group(found, f"{len(answer.results) - answer.failed} ok, {answer.failed} failed")


def diff_view(before: RuleDocument) -> Callable[[RuleDocument], RenderableType]:
    """What the later rules say otherwise, line by line."""

    def view(after: RuleDocument) -> RenderableType:
        lines = difflib.unified_diff(
            written(_ordered(before), as_yaml=True).splitlines(),
            written(_ordered(after), as_yaml=True).splitlines(),
            "before",
            "after",
            lineterm="",
        )
        return safe("\n".join(lines)) or "They say the same."

    return view


def replay_view(replay: Replay) -> RenderableType:
    """How many decisions would come out otherwise, and which."""
    counted = (
        f"{replay.replayed} decisions: {replay.unchanged} as they were, {replay.widened} stopped"
        f" less, {replay.tightened} stopped more, {replay.approvers_changed} by other people,"
        f" {replay.not_replayable} not replayable"
    )
    lines = [counted]
    if replay.other_built_in:
        lines.append(f"{replay.other_built_in} were decided beside other built-in rules.")
    return Group(_decisions(replay.decisions), *lines)


def shadow_view(answer: ListShadowVerdictsResponse) -> RenderableType:
    """What the shadow would have decided otherwise."""
    return _decisions(one.decision for one in answer.verdicts)


def promotion_view(answer: PromoteRulesResponse) -> RenderableType:
    """What a promotion waits for."""
    waiting = answer.verdict.checkpoint.checkpoint_id
    lines = [] if not waiting else [f"People must agree to it: chenu show {short(waiting)}"]
    if not waiting:
        lines.append(f"It is {word(answer.verdict, 'state')}. {answer.verdict.reason}".strip())
    lines.append(f"{answer.required_approvals} must approve.")
    if answer.HasField("not_before"):
        lines.append(f"It is held back until {when(answer.not_before)}.")
    return Group(replay_view(answer.replay), safe("\n".join(lines)))


def _decisions(found: Iterable[ReplayedDecision]) -> RenderableType:
    return table(
        ("change", "decision", "when", "tool", "was", "by", "would be", "by"),
        (
            (
                word(one, "change"),
                short(one.decision_id),
                ago(one.create_time),
                safe(one.tool),
                word(one, "recorded_effect"),
                safe(one.recorded_rule),
                word(one, "effect") if one.effect else one.cause,
                safe(one.rule),
            )
            for one in found
        ),
        empty="Nothing would come out otherwise.",
    )


def _ordered(document: RuleDocument) -> RuleDocument:
    return RuleDocument(
        rules=sorted(document.rules, key=attrgetter("code")),
        counters=sorted(document.counters, key=attrgetter("name")),
    )


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
        empty=_NO_RULES,
    )
