"""The view: an action as a person is shown it, rendered from its canonical bytes and nothing else.

A vote carries the digest of the view, so what a person saw is bound as firmly as what runs.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from typing import Any, TypeAlias

from chenu_gate.action import Action
from chenu_gate.canonical_json import Place, digest, spelled, write
from chenu_gate.refusal import ActionRefused, Refusal
from chenu_gate.sentences import KINDS, consequence, headline, quoted_name, touches
from chenu_gate.visible_text import Flag, visible

View: TypeAlias = dict[str, Any]

VERSION = "chenu.view.v1"
MAX_CHARACTERS = 512 * 1024
MAX_ARGUMENTS = 2_000
_MAX_LISTED = 8
_SHORT_DIGEST = len("sha256:") + 12


def render(action: Action, *, agent_words: str = "") -> View:
    """The view of an action: deterministic, complete, in plain JSON.

    `agent_words` is the agent's own account. It is shown apart, is not part of the action,
    and nothing else in the view comes from it.
    """
    pen = _Pen()
    view: View = {
        "version": VERSION,
        # The tables of characters that were used: another edition may flag other characters.
        "unicode": unicodedata.unidata_version,
        "headline": headline(action),
        "kind": action.kind.value,
        "tool": action.tool.name,
        "tool_definition": action.tool.definition,
        "executor": action.executor,
        "principal": asdict(action.principal),
        "source_sphere": action.source_sphere,
        "target_sphere": action.target_sphere,
        "targets": [
            {
                "type": target.type,
                "name": pen.write(target.name, f"the name of target {number}"),
                "id": pen.write(target.id, f"the id of target {number}"),
                "version": pen.write(target.version, f"the version of target {number}"),
            }
            for number, target in enumerate(action.targets, 1)
        ],
        "arguments": [pen.write_argument(*leaf) for leaf in _reviewable(action)],
        "thread": action.thread,
        "run": action.run,
        "reversible": KINDS[action.kind].reversible,
        "consequence": consequence(action),
        "touches": touches(action),
        "action_digest": action.digest,
        "untrusted": {"agent_words": pen.write(agent_words, "the agent's own words")},
    }
    return view | {"warnings": pen.warnings}


def argument_lines(action: Action) -> dict[str, str]:
    """What people may edit, made visible: each argument, target and sphere, by its path."""
    pen = _Pen()
    written = [pen.write_argument(*leaf) for leaf in _reviewable(action)]
    lines = {f"arguments.{one['path']}": f"{one['value']} ({one['type']})" for one in written}
    for number, target in enumerate(action.targets, 1):
        told = f"{target.type} {target.name} {target.id} {target.version}"
        lines[f"target {number}"] = pen.write(told, f"target {number}")
    if action.target_sphere:
        lines["target_sphere"] = action.target_sphere
    return lines


def view_digest(view: View) -> str:
    """The digest that a vote must carry: over the canonical JSON of the view."""
    return digest(write(view))


def short_digest(digest_text: str) -> str:
    """The beginning of a digest, enough to compare by eye with the long one."""
    return digest_text[:_SHORT_DIGEST]


def batch_digest(ballots: Iterable[tuple[str, str]]) -> str:
    """The digest of many (checkpoint id, view digest) pairs, in whatever order they are given.

    A token for a batch of votes carries it: it is good for exactly those views.
    """
    return digest(write(sorted([checkpoint_id, seen] for checkpoint_id, seen in ballots)))


def as_text(view: View) -> str:
    """The view in lines of plain text, for a terminal or a mail; the agent's words come last."""
    principal = view["principal"]
    lines = [
        view["headline"],
        view["consequence"],
        *view.get("touches", ()),
        *view.get("cumulative", ()),
        f"For person {principal['person'] or '-'}, identity {principal['identity']}"
        + (f", asked by agent {principal['agent']}" if principal["agent"] else ""),
        *_edited_lines(view),
        *(f"! {warning['text']}" for warning in view["warnings"]),
        *(
            f"target {item['type']} {quoted_name(item['name'])} {item['id']}"
            f" @ {item['version'] or '-'}"
            for item in view["targets"]
        ),
        *(f"{item['path']} ({item['type']}) = {item['value']}" for item in view["arguments"]),
    ]
    if view["untrusted"]["agent_words"]:
        lines.append(f"The agent says (unchecked): {view['untrusted']['agent_words']}")
    return "\n".join(lines)


def _edited_lines(view: View) -> list[str]:
    """What somebody changed, where this is not what was asked for."""
    if "edited" not in view:
        return []
    edited = view["edited"]
    return [
        f"Revision {edited['revision']}, edited by person {edited['by']}:",
        *(
            f"  {change['path']}: {change['before'] or '(nothing)'}"
            f" → {change['after'] or '(nothing)'}"
            for change in edited["changes"]
        ),
    ]


class _Pen:
    """Writes other people's text into a view, and keeps what there is to warn about."""

    def __init__(self) -> None:
        self.warnings: list[dict[str, Any]] = []
        self._room = MAX_CHARACTERS

    def write(self, text: str, place: str) -> str:
        """The text made visible; warns of what was hidden in it."""
        shown = visible(text)
        self._room -= len(shown.text)
        if self._room < 0:
            raise ActionRefused(Refusal.VIEW_TOO_LARGE)
        self.warnings += [_warning(flag, chars, place) for flag, chars in shown.flagged.items()]
        return shown.text

    def write_argument(self, place: Place, kind: str, value: str) -> dict[str, str]:
        """One argument with its full path, type and value."""
        path = spelled(place)
        shown = visible(path).text
        return {
            "path": self.write(path, f"the name of argument {shown}"),
            "type": kind,
            "value": self.write(value, f"argument {shown}"),
        }


def _reviewable(action: Action) -> list[tuple[Place, str, str]]:
    """The values of the arguments, unless there are more than anybody reads."""
    leaves = list(islice(_leaves(action.arguments, None), MAX_ARGUMENTS + 1))
    if len(leaves) > MAX_ARGUMENTS:
        raise ActionRefused(Refusal.VIEW_TOO_LARGE)
    return leaves


def _leaves(value: Any, place: Place) -> Iterator[tuple[Place, str, str]]:
    """Every value that holds no other, with its place, its type and its text."""
    if isinstance(value, Mapping) and (value or place is None):
        # In the order of the canonical bytes, whatever order the action was built in.
        for key in sorted(value, key=lambda key: key.encode("utf-16-be")):
            yield from _leaves(value[key], (place, key))
    elif isinstance(value, tuple) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, (place, index))
    else:
        yield place, *_typed(value)


def _typed(value: Any) -> tuple[str, str]:
    match value:
        case str():
            return "string", value
        case bool():
            return "boolean", "true" if value else "false"
        case int():
            return "integer", str(value)
        case None:
            return "null", "null"
        case tuple():
            return "array", "[]"
        case _:
            return "object", "{}"


def _warning(flag: Flag, chars: list[str], place: str) -> dict[str, Any]:
    distinct = sorted(set(chars))
    listed = [f"U+{ord(char):04X}" for char in distinct[:_MAX_LISTED]]
    names = ", ".join(listed) + (", …" if len(distinct) > _MAX_LISTED else "")
    return {
        "flag": flag.value,
        "place": place,
        "characters": listed,
        "count": len(chars),
        "text": f"Look closely at {place}: it holds {flag.meaning} ({len(chars)}: {names}).",
    }
