"""A tool as its executor declares it, and the check that an action is a fair use of it.

The kind of an action is asserted by whoever asks governance, and the rules go by it. So the
executor compares every action with the tool's own definition before it acts: a lie about what
an action does gets a permit that is worth nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

import fastjsonschema

from chenu.governance.v1.decision_pb2 import ActionKind as WireKind
from chenu.governance.v1.executor_service_pb2 import TargetArgument as WireTargetArgument
from chenu.governance.v1.executor_service_pb2 import ToolDefinition
from chenu_gate.action import Action, ActionKind
from chenu_gate.action import Tool as PinnedTool
from chenu_gate.canonical_json import Json, digest, read, write
from chenu_gate.refusal import Refused, quoted

MAX_SCHEMA_BYTES = 32 * 1024


class ToolRefused(Refused, ValueError):
    """An action that this executor does not perform; one class for each reason."""

    code = "INVALID_ARGUMENT"
    reason = "ACTION_INVALID"

    def __init__(self, message: str, **metadata: str) -> None:
        super().__init__(message)
        self._metadata = metadata

    @property
    def metadata(self) -> Mapping[str, str]:
        """Dynamic values of the message."""
        return self._metadata


class ToolMisused(ToolRefused):
    """The action says of the tool what is not so: its kind or its executor."""


class ToolUnknown(ToolRefused):
    """The executor has no tool of that name."""

    code = "UNIMPLEMENTED"
    reason = "TOOL_UNKNOWN"


class ToolChanged(ToolRefused):
    """The action is bound to another definition than the one in force."""

    code = "FAILED_PRECONDITION"
    reason = "TOOL_CHANGED"


class ArgumentsInvalid(ToolRefused):
    """The arguments do not fit the schema, or the targets do not fit the arguments."""

    reason = "ARGUMENTS_INVALID"


@dataclass(frozen=True, slots=True)
class TargetArgument:
    """An argument that names a resource; with `any_version` its content does not matter."""

    argument: str
    type: str
    any_version: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """What a tool is called, what it takes and what it does; `definition` is its digest.

    `input_schema` is canonical JSON text of a JSON Schema (draft 7); make one with `declare`.
    """

    name: str
    description: str
    input_schema: str
    kind: ActionKind
    executor: str
    target_arguments: tuple[TargetArgument, ...] = ()
    definition: str = field(init=False)

    def __post_init__(self) -> None:
        document: Json = {
            "name": self.name,
            "description": self.description,
            "input_schema": self.input_schema,
            "kind": self.kind.value,
            "executor": self.executor,
            "target_arguments": [
                {"argument": t.argument, "type": t.type, "any_version": t.any_version}
                for t in self.target_arguments
            ],
        }
        object.__setattr__(self, "definition", digest(write(document)))

    @classmethod
    def declare(cls, *, input_schema: Mapping[str, Json], **fields: Any) -> Self:
        """A tool whose schema is given as a document."""
        return cls(input_schema=write(input_schema).decode(), **fields)

    @classmethod
    def from_definition(cls, message: ToolDefinition) -> Self:
        """The tool that an executor published; ToolChanged where its digest is not its own.

        Its schema is compiled to code when `check` is called: only take executors' own.
        """
        tool = cls(
            name=message.name,
            description=message.description,
            input_schema=message.input_schema,
            kind=ActionKind(WireKind.Name(message.kind).removeprefix("ACTION_KIND_").lower()),
            executor=message.executor,
            target_arguments=tuple(
                TargetArgument(t.argument, t.type, t.any_version) for t in message.target_arguments
            ),
        )
        if tool.definition != message.definition:
            raise ToolChanged("the digest is not that of the definition", tool=tool.name)
        return tool

    def message(self) -> ToolDefinition:
        """The definition as it is published."""
        return ToolDefinition(
            name=self.name,
            description=self.description,
            input_schema=self.input_schema,
            kind=f"ACTION_KIND_{self.kind.name}",
            executor=self.executor,
            definition=self.definition,
            target_arguments=[
                WireTargetArgument(argument=t.argument, type=t.type, any_version=t.any_version)
                for t in self.target_arguments
            ],
        )

    @property
    def pinned(self) -> PinnedTool:
        """The tool as an action names it."""
        return PinnedTool(self.name, self.definition)

    def check(self, action: Action) -> None:
        """Raise `ToolRefused` unless the action is what this definition says."""
        if action.tool.definition != self.definition:
            raise ToolChanged(
                "the tool is no longer the one that was approved; plan again with its definition",
                tool=self.name,
                definition=self.definition,
            )
        for what, said, true in (
            ("kind", action.kind.value, self.kind.value),
            ("executor", action.executor, self.executor),
        ):
            if said != true:
                raise ToolMisused(f"the tool's {what} is {true}", tool=self.name, cause=what)
        arguments = action.document()["arguments"]
        self.check_arguments(arguments)
        self._check_targets(action, arguments)

    def check_arguments(self, arguments: Mapping[str, Any]) -> None:
        """Raise `ArgumentsInvalid` unless they fit the schema; for planners too."""
        try:
            validate = _validator(self.input_schema)
        except Exception as error:
            raise ArgumentsInvalid(
                "the tool's schema is none that anything can be checked with",
                tool=self.name,
                cause="schema",
            ) from error
        try:
            validate(arguments)
        except fastjsonschema.JsonSchemaValueException as problem:
            place = quoted(".".join(str(step) for step in problem.path[1:]) or "arguments", 100)
            raise ArgumentsInvalid(
                f"the argument {place} breaks the rule {problem.rule!r} of the tool's schema",
                tool=self.name,
                cause=str(problem.rule),
            ) from None
        if _holds_nul(arguments):
            raise ArgumentsInvalid("an argument holds a NUL character", tool=self.name, cause="nul")

    def essential(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments without those that the schema marks `"x-cosmetic": true`.

        Another value of a cosmetic argument makes no other action of one that was rejected. An
        argument that names a target is never cosmetic.
        """
        targets = {target.argument for target in self.target_arguments}
        cosmetic = _cosmetic(self.input_schema) - targets
        return {name: value for name, value in arguments.items() if name not in cosmetic}

    def _check_targets(self, action: Action, arguments: Mapping[str, Any]) -> None:
        """The targets that were approved are those that the arguments name, and no others."""
        named = [
            (argument, (argument.type, arguments[argument.argument]))
            for argument in self.target_arguments
            if isinstance(arguments.get(argument.argument), str)
        ]
        versions = {(target.type, target.id): target.version for target in action.targets}
        if {target for _, target in named} != versions.keys():
            raise ArgumentsInvalid(
                "the action's targets are not those that its arguments name",
                tool=self.name,
                cause="targets",
            )
        if any(not argument.any_version and not versions[target] for argument, target in named):
            raise ArgumentsInvalid("a target has no version", tool=self.name, cause="version")


class _Nowhere(dict[str, Any]):
    """Where schemas are fetched from: what one refers to must stand in it."""

    def __contains__(self, _scheme: object) -> bool:
        return True

    def __missing__(self, scheme: str) -> Any:
        raise fastjsonschema.JsonSchemaDefinitionException(f"not fetched: {quoted(scheme)}")


class Toolbox:
    """The tools of one executor."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self.tools = {tool.name: tool for tool in tools}

    def check(self, action: Action) -> Tool:
        """The tool that the action uses as it should be used; else `ToolRefused`."""
        tool = self.tools.get(action.tool.name)
        if tool is None:
            raise ToolUnknown("there is no such tool here", tool=action.tool.name)
        tool.check(action)
        return tool


@lru_cache(maxsize=256)
def _validator(schema: str) -> Callable[[Any], Any]:
    compiled: Callable[[Any], Any] = fastjsonschema.compile(
        read(schema.encode(), MAX_SCHEMA_BYTES),
        # What was approved is what is checked: no default may slip in afterwards.
        use_default=False,
        handlers=_Nowhere(),
    )
    return compiled


@lru_cache(maxsize=256)
def _cosmetic(schema: str) -> frozenset[str]:
    document = read(schema.encode(), MAX_SCHEMA_BYTES)
    properties = document.get("properties") if isinstance(document, dict) else None
    return frozenset(
        name
        for name, rule in (properties.items() if isinstance(properties, dict) else ())
        if isinstance(rule, dict) and rule.get("x-cosmetic") is True
    )


def _holds_nul(value: Any) -> bool:
    """No text column of a database holds U+0000, and no header may."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, Mapping):
        return any(_holds_nul(item) for pair in value.items() for item in pair)
    return isinstance(value, list) and any(_holds_nul(item) for item in value)
