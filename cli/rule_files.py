"""Rules as files: YAML or JSON that people write, and the messages that governance reads.

    counters:
      - {name: spent, measure: amount, per: identity, window_seconds: 86400, kinds: [update]}
    rules:
      - code: large_changes
        description: More than 500 a day waits for a person.
        effect: checkpoint
        checkpoint_type: budget_approval
        condition: counters.spent + action.amount > 500000000

The words are those of the contract (`protos/chenu/governance/v1/rule.proto`), enums in lower case.
A file of cases says what must come out:

    rules: limits.yaml
    cases:
      - name: a large change
        action: {kind: update, arguments: {amount: 501}}
        effect: checkpoint
        rule: large_changes
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from chenu.governance.v1.rule_pb2 import Counter, Rule, RuleCase, RuleDocument
from cli.problems import UsageProblem

_ENUMS: Final = {
    "effect": "EFFECT_",
    "checkpoint_type": "CHECKPOINT_TYPE_",
    "measure": "COUNTER_MEASURE_",
    "per": "COUNTER_PER_",
    "kinds": "ACTION_KIND_",
}
_CASE_WORDS: Final = {"effect": "expected_effect", "rule": "expected_rule"}
_OUTPUT_ONLY: Final = ("built_in", "loosenable")


class RuleFile:
    """A file that was read, and where in it things stand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            text = path.read_text()
            self._node = yaml.compose(text, Loader=yaml.SafeLoader)
            self.content: Any = yaml.safe_load(text)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
            raise UsageProblem(f"{place}: {error.problem or error.context}") from None
        if not isinstance(self.content, dict):
            raise UsageProblem(f"{path}: a mapping with rules, counters or cases is expected")

    def document(self) -> RuleDocument:
        """The rules and counters; UsageProblem names line and rule of what is not one."""
        self._only("rules", "counters")
        return RuleDocument(
            rules=list(self._messages("rules", Rule)),
            counters=list(self._messages("counters", Counter)),
        )

    def cases(self) -> list[RuleCase]:
        """The cases of a file of cases."""
        self._only("rules", "cases")
        return list(self._messages("cases", RuleCase))

    def rules_beside(self) -> Path | None:
        """The file of rules that a file of cases names, from where it lies."""
        named = self.content.get("rules")
        return self.path.parent / named if isinstance(named, str) else None

    def place(self, code: str, field: str) -> str:
        """Where a rule or counter, and its field, stand in the file: "limits.yaml:12"."""
        for entry in (*_entries(self._node, "rules"), *_entries(self._node, "counters")):
            members = _members(entry)
            name = members.get("code", members.get("name"))
            if name is not None and name.value == code:
                return f"{self.path}:{members.get(field, entry).start_mark.line + 1}"
        return str(self.path)

    def _only(self, *known: str) -> None:
        for name in self.content:
            if name not in known:
                raise UsageProblem(
                    f"{self.path}: {name!r} is not known here; known are {', '.join(known)}"
                )

    def _messages(self, part: str, message: Any) -> Iterator[Any]:
        entries = self.content.get(part) or []
        nodes = _entries(self._node, part)
        if not isinstance(entries, list):
            raise UsageProblem(f"{self.path}: {part} is a list")
        for entry, node in zip(entries, nodes, strict=True):
            place = f"{self.path}:{node.start_mark.line + 1}"
            if not isinstance(entry, dict):
                raise UsageProblem(f"{place}: a mapping is expected")
            try:
                yield ParseDict(_spelled_out(entry, case=message is RuleCase), message())
            except (ParseError, ValueError) as error:
                named = entry.get("code", entry.get("name", ""))
                raise UsageProblem(f"{place}: {named}: {error}") from None


def written(document: RuleDocument, *, as_yaml: bool) -> str:
    """A document as a file."""
    content = {
        part: [_shortened(entry) for entry in getattr(document, part)]
        for part in ("counters", "rules")
        if getattr(document, part)
    }
    if not as_yaml:
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    return text


def _spelled_out(entry: Mapping[str, Any], *, case: bool) -> dict[str, Any]:
    """An entry in protobuf's JSON: enums by their whole names, an action as text."""
    out: dict[str, Any] = {}
    for name, value in entry.items():
        prefix = _ENUMS.get(name)
        if prefix and isinstance(value, list):
            out[name] = [f"{prefix}{str(one).upper()}" for one in value]
        elif prefix:
            out[_CASE_WORDS[name] if case else name] = f"{prefix}{str(value).upper()}"
        elif case and name in _CASE_WORDS:
            out[_CASE_WORDS[name]] = value
        elif case and name == "action" and not isinstance(value, str):
            out[name] = json.dumps(value, default=str)
        elif case and name == "time":
            out[name] = value.isoformat() if hasattr(value, "isoformat") else value
        else:
            out[name] = value
    return out


def _shortened(message: Any) -> dict[str, Any]:
    entry = MessageToDict(message, preserving_proto_field_name=True)
    for name in _OUTPUT_ONLY:
        entry.pop(name, None)
    for name, prefix in _ENUMS.items():
        if isinstance(value := entry.get(name), list):
            entry[name] = [one.removeprefix(prefix).lower() for one in value]
        elif value:
            entry[name] = value.removeprefix(prefix).lower()
    return entry


def _entries(node: Any, part: str) -> list[Any]:
    found = _members(node).get(part)
    return list(found.value) if isinstance(found, yaml.SequenceNode) else []


def _members(node: Any) -> dict[str, Any]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {key.value: value for key, value in node.value}
