"""Rules as messages, as rows and as what is judged by: three forms of the same words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from google.protobuf import json_format

from chenu.governance.v1 import rule_pb2
from chenu_gate.action import ActionKind
from chenu_gate.refusal import quoted
from services.governance.messages import EFFECTS, KINDS, SPHERES, TYPES, words
from services.governance.policy.built_in_rules import BUILT_IN
from services.governance.policy.counters import Counter, Measure, Per
from services.governance.policy.rule import CheckpointType, Effect, Problem, Rule, RuleInvalid
from services.governance.policy.rules import RuleSet, revision_of, words_of
from services.governance.review import requirements
from services.governance.review.requirements import RequirementInvalid

_MEASURES = words(rule_pb2.CounterMeasure, "COUNTER_MEASURE_")
_PERS = words(rule_pb2.CounterPer, "COUNTER_PER_")


def rule_set(
    document: rule_pb2.RuleDocument,
    built_in: Iterable[Rule] = BUILT_IN,
    *,
    accepted: bool = False,
) -> RuleSet:
    """The built-in rules and those of a document; RuleInvalid tells all that is wrong."""
    problems: list[Problem] = []
    if not accepted:
        problems += _unknown_spheres(document.rules)
    rules = [_rule(message, problems) for message in document.rules]
    counters = [_counter(message) for message in document.counters]
    try:
        revision = revision_of(rules, counters)
        found = RuleSet([*built_in, *rules], counters, revision=revision, accepted=accepted)
    except RuleInvalid as invalid:
        raise RuleInvalid([*invalid.problems, *problems]) from None
    if problems:
        raise RuleInvalid(problems)
    return found


def own_rules(rules: RuleSet) -> list[Rule]:
    """Those of the tenant."""
    return [rule for rule in rules.rules if not rule.built_in]


def document(rules: RuleSet) -> rule_pb2.RuleDocument:
    """The tenant's own rules and counters of a set, in the order of their codes."""
    return rule_pb2.RuleDocument(
        rules=[message(rule) for rule in sorted(own_rules(rules), key=lambda rule: rule.code)],
        counters=counters(rules.counters),
    )


def stored(rules: RuleSet) -> dict[str, Any]:
    """The document as a row keeps it."""
    return json_format.MessageToDict(document(rules), preserving_proto_field_name=True)


def as_stored(row: Mapping[str, Any]) -> rule_pb2.RuleDocument:
    """The document that a row keeps."""
    return json_format.ParseDict(dict(row), rule_pb2.RuleDocument())


def hashed(row: Mapping[str, Any]) -> bytes:
    """What the revision of a row's document is the hash of."""
    kept = as_stored(row)
    return words_of([_rule(one, []) for one in kept.rules], map(_counter, kept.counters))


def message(rule: Rule) -> rule_pb2.Rule:
    """A rule as it is told."""
    return rule_pb2.Rule(
        code=rule.code,
        name=rule.name,
        description=rule.description,
        condition=rule.condition,
        effect=EFFECTS[rule.effect.value],
        checkpoint_type=TYPES[
            rule.checkpoint_type.value if rule.checkpoint_type else "unspecified"
        ],
        priority=rule.priority,
        kinds=[KINDS[kind.value] for kind in rule.kinds],
        approval=requirements.parse(rule.approval) if rule.approval else None,
        tools=rule.tools,
        spheres=rule.spheres,
        agents=rule.agents,
        owner=rule.owner,
        overrides=rule.overrides,
        built_in=rule.built_in,
        loosenable=rule.loosenable,
    )


def counters(found: Iterable[Counter]) -> list[rule_pb2.Counter]:
    """Counters as they are told."""
    return [
        rule_pb2.Counter(
            name=counter.name,
            measure=_MEASURES[counter.measure.value],
            per=_PERS[counter.per.value],
            window_seconds=counter.window_seconds,
            kinds=[KINDS[kind.value] for kind in counter.kinds],
            tools=counter.tools,
        )
        for counter in found
    ]


def _rule(given: rule_pb2.Rule, problems: list[Problem]) -> Rule:
    type_ = _word(TYPES, given.checkpoint_type)
    return Rule(
        code=given.code,
        name=given.name or given.code,
        description=given.description or given.name or given.code,
        effect=Effect(_word(EFFECTS, given.effect)),
        condition=given.condition or "true",
        checkpoint_type=None if type_ == "unspecified" else CheckpointType(type_),
        priority=given.priority,
        kinds=_kinds(given.kinds),
        tools=tuple(sorted(given.tools)),
        spheres=tuple(sorted(given.spheres)),
        agents=tuple(sorted(given.agents)),
        owner=given.owner,
        overrides=tuple(sorted(given.overrides)),
        approval=_approval(given, problems),
    )


def _unknown_spheres(rules: Iterable[rule_pb2.Rule]) -> Iterator[Problem]:
    """Misspelt ones: the rule would stand there and stop nothing."""
    for rule in rules:
        for sphere in sorted(set(rule.spheres) - SPHERES.keys()):
            told = f"{quoted(sphere)} is none of {', '.join(SPHERES)}"
            yield Problem(rule.code, "spheres", told)


def _approval(given: rule_pb2.Rule, problems: list[Problem]) -> str:
    """The requirement as canonical text: the hash of a revision must not depend on its form."""
    if not given.HasField("approval") or not given.approval.ListFields():
        return ""
    if given.effect != EFFECTS["checkpoint"]:
        told = "an approval belongs to the effect CHECKPOINT, and to no other"
        problems.append(Problem(given.code, "approval", told))
    try:
        requirements.check(given.approval)
    except RequirementInvalid as invalid:
        problems.append(Problem(given.code, "approval", str(invalid)))
        return ""
    return json_format.MessageToJson(
        given.approval, preserving_proto_field_name=True, indent=None, sort_keys=True
    )


def _counter(given: rule_pb2.Counter) -> Counter:
    return Counter(
        name=given.name,
        measure=Measure(_word(_MEASURES, given.measure)),
        per=Per(_word(_PERS, given.per)),
        window_seconds=given.window_seconds,
        kinds=_kinds(given.kinds),
        tools=tuple(sorted(given.tools)),
    )


def _kinds(given: Iterable[Any]) -> tuple[ActionKind, ...]:
    return tuple(sorted(ActionKind(_word(KINDS, kind)) for kind in given))


def _word(table: Mapping[str, Any], number: Any) -> str:
    return next(word for word, known in table.items() if known == number)
