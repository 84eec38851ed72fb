"""What an action does, in words that the service wrote: one sentence for each kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chenu_gate.action import Action, ActionKind, Target
from chenu_gate.visible_text import visible

_MAX_NAMED = 3
_AMOUNTS = frozenset({"amount", "total", "price", "sum"})
_TOLD = frozenset({int, str})
_MAX_ID = 80


@dataclass(frozen=True, slots=True)
class Sentence:
    """How a kind of action is told: with a target, without one, and what follows from it."""

    verb: str
    alone: str
    consequence: str
    reversible: bool = False


_READS = "Nothing is changed by it."
KINDS: dict[ActionKind, Sentence] = {
    ActionKind.QUERY: Sentence("Look up", "Look something up", _READS, reversible=True),
    ActionKind.SEARCH: Sentence("Search", "Search", _READS, reversible=True),
    ActionKind.SUMMARIZE: Sentence("Summarize", "Summarize", _READS, reversible=True),
    ActionKind.ANALYZE: Sentence("Analyze", "Analyze", _READS, reversible=True),
    ActionKind.CREATE: Sentence(
        "Create something new for",
        "Create something new",
        "Something new is stored; it can be removed again.",
        reversible=True,
    ),
    ActionKind.UPDATE: Sentence(
        "Change",
        "Change something",
        "Stored data is changed; it can be changed back.",
        reversible=True,
    ),
    ActionKind.DELETE: Sentence(
        "Delete", "Delete something", "What is deleted cannot be brought back."
    ),
    ActionKind.SEND: Sentence(
        "Send data to", "Send data out", "What is sent leaves CHE·NU and cannot be called back."
    ),
    ActionKind.PUBLISH: Sentence(
        "Publish", "Publish something", "Others can see and copy what is published."
    ),
    ActionKind.TRANSFER: Sentence(
        "Transfer",
        "Transfer something",
        "Others may see what is transferred, and keep what they saw.",
    ),
    ActionKind.PAYMENT: Sentence(
        "Pay", "Pay", "Money is moved; only who receives it can give it back."
    ),
    ActionKind.EXPORT: Sentence(
        "Export", "Export data", "A copy leaves CHE·NU and cannot be called back."
    ),
    ActionKind.CONFIGURE: Sentence(
        "Configure",
        "Change a setting",
        "From then on things work in another way; it can be set back.",
        reversible=True,
    ),
    ActionKind.EXECUTE: Sentence(
        "Run", "Run something", "It does whatever the tool does; CHE·NU cannot take it back."
    ),
}


def headline(action: Action) -> str:
    """One sentence: what is done to what, where, and by which tool."""
    told = KINDS[action.kind]
    what = f"{told.verb} {_targets(action)}" if action.targets else told.alone
    return f"{what}{_spheres(action)}, by the tool {action.tool.name} of {action.executor}."


def consequence(action: Action) -> str:
    """What follows from the action, and whether it leaves its sphere."""
    told = KINDS[action.kind].consequence
    if crosses_spheres(action):
        told += f" It crosses from the sphere {action.source_sphere} to {action.target_sphere}."
    return told


def touches(action: Action) -> list[str]:
    """What is touched, counted by type, each identity beside the own one, and every amount."""
    types = Counter(target.type for target in action.targets)
    counted = ", ".join(f"{number} × {name}" for name, number in sorted(types.items()))
    lines = [f"It touches {counted}."] if types else []
    own = action.principal.identity
    lines += [
        f"It crosses from identity {own} to identity {_named(target)}."
        for target in action.targets
        if target.type == "identity" and target.id != own
    ]
    lines += [f"Amount: {place} = {value}." for place, value in _amounts(action.arguments, "")]
    return lines


def _amounts(value: object, place: str) -> Iterator[tuple[str, str]]:
    """Every number, or text, under a name that tells an amount."""
    if isinstance(value, Mapping):
        for key in sorted(value, key=lambda key: key.encode("utf-16-be")):
            yield from _amounts(value[key], f"{place}.{key}" if place else key)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _amounts(item, f"{place}[{index}]")
    elif place.rpartition(".")[2].partition("[")[0].lower() in _AMOUNTS and type(value) in _TOLD:
        yield _clipped(visible(place).text), _clipped(visible(str(value)).text)


def crosses_spheres(action: Action) -> bool:
    """Whether it goes from one sphere into another."""
    return bool(action.target_sphere) and action.target_sphere != action.source_sphere


def quoted_name(shown: str) -> str:
    """A visible text in quotes that it cannot close: somebody else chose the name."""
    return f"“{shown.replace('“', '⟦U+201C⟧').replace('”', '⟦U+201D⟧')}”"


def _targets(action: Action) -> str:
    named = [f"{target.type} {_named(target)}" for target in action.targets[:_MAX_NAMED]]
    more = len(action.targets) - len(named)
    return ", ".join(named) + (f" and {more} more (all are listed below)" if more else "")


def _named(target: Target) -> str:
    """By its name where it has one; the list below tells the id all the same."""
    if target.name:
        return quoted_name(_clipped(visible(target.name).text))
    return _clipped(visible(target.id).text)


def _spheres(action: Action) -> str:
    if crosses_spheres(action):
        return f" from the sphere {action.source_sphere or '(none)'} into {action.target_sphere}"
    return f" in the sphere {action.source_sphere}" if action.source_sphere else ""


def _clipped(text: str) -> str:
    if len(text) <= _MAX_ID:
        return text
    return f"{text[:_MAX_ID]}… ({len(text) - _MAX_ID} more characters, in full below)"
