"""Why an action was stopped: what its rule looked at, what came before it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from chenu_gate.action import Action
from chenu_gate.canonical_json import write
from chenu_gate.visible_text import visible
from services.governance.policy.counters import Counter, Measure, amount_of, in_units
from services.governance.policy.rule import Facts, Rule
from services.governance.policy.rules import RuleSet

_NAMED: Final = re.compile(
    r"\b(?:action|caller|counters)(?:\.[A-Za-z_][A-Za-z0-9_]*)+|\brequires_checkpoint\b|\btime\b"
)
_STRINGS: Final = re.compile(r'"(?:[^"\\]|\\.)*"' + r"|'(?:[^'\\]|\\.)*'")
_LONGEST: Final = 200
_UNITS: Final = ((86_400, "days"), (3_600, "hours"), (60, "minutes"))


def matched_facts(rule: Rule | None, known: Mapping[str, Any]) -> list[dict[str, str]]:
    """Each fact that the rule's condition names, with what it was; the kind where none is named.

    `known` are the variables of the rule's language. Values are made visible, as in the view.
    """
    condition = _STRINGS.sub("''", rule.condition) if rule else ""
    named = sorted({path for match in _NAMED.findall(condition) for path in [_fact(match, known)]})
    if not named or (rule and rule.kinds):
        named = ["action.kind", *(name for name in named if name != "action.kind")]
    return [{"fact": name, "value": _shown(value)} for name, value in _values(named, known)]


def cumulative_use(rules: RuleSet, action: Action, facts: Facts) -> list[str]:
    """How much came before an action that moves an amount: a line for each counter over it."""
    if amount_of(action) == 0:
        return []
    return [
        _use(counter, facts.counters[counter.key], action)
        for counter in rules.counted_in(action)
        if counter.key in facts.counters
    ]


def _use(counter: Counter, before: int, action: Action) -> str:
    after = before + counter.contribution(action)
    unknown = counter.measure is Measure.AMOUNT and amount_of(action) is None
    told = "an untold amount" if unknown else _counted(counter, after)
    return (
        f"Within {_window(counter.window_seconds)} per {counter.per}: {_counted(counter, before)}"
        f" before this, {told} with it ({counter.name})."
    )


def _counted(counter: Counter, value: int) -> str:
    if counter.measure is Measure.COUNT:
        return f"{value} ×"
    return in_units(value)


def _window(seconds: int) -> str:
    for size, unit in _UNITS:
        if seconds % size == 0 and seconds > size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _fact(match: str, known: Mapping[str, Any]) -> str:
    """The variable with the path into it; without the function that is called on it."""
    parts = match.split(".")
    for length in range(len(parts), 0, -1):
        root = ".".join(parts[:length])
        if root in known:
            steps, value = [root], known[root]
            for part in parts[length:]:
                if not isinstance(value, Mapping) or part not in value:
                    break
                steps.append(part)
                value = value[part]
            return ".".join(steps)
    return match


def _values(named: list[str], known: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in named:
        root = next((one for one in known if name == one or name.startswith(f"{one}.")), "")
        value: Any = known.get(root)
        for part in name[len(root) + 1 :].split(".") if root and name != root else ():
            value = value[part]
        yield name, value


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    # A sum may pass what canonical JSON holds.
    said = str(value) if type(value) in (str, int) else write(value).decode()
    text = visible(said).text
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}… ({len(text) - _LONGEST} more characters, in full among the rest)"
