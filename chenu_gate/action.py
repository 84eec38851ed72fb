"""The action: what would be done, in bytes that mean one thing only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar

from chenu_gate.canonical_json import Json, checked_text, digest, encode, plain, read
from chenu_gate.refusal import ActionRefused, Refusal, quoted

VERSION = "chenu.action.v1"
MAX_BYTES = 32 * 1024

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MAX_TEXT = 1024


class ActionKind(StrEnum):
    """What sort of thing is done; the first four only read."""

    QUERY = "query"
    SEARCH = "search"
    SUMMARIZE = "summarize"
    ANALYZE = "analyze"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    SEND = "send"
    PUBLISH = "publish"
    TRANSFER = "transfer"
    PAYMENT = "payment"
    EXPORT = "export"
    CONFIGURE = "configure"
    EXECUTE = "execute"


READING_KINDS = frozenset(
    {ActionKind.QUERY, ActionKind.SEARCH, ActionKind.SUMMARIZE, ActionKind.ANALYZE}
)


@dataclass(frozen=True, slots=True)
class Tool:
    """The tool that acts, pinned to the definition that was reviewed."""

    name: str
    definition: str

    def __post_init__(self) -> None:
        _identifier(self.name, "tool.name")
        _text(self.definition, "tool.definition")
        if not _DIGEST.fullmatch(self.definition):
            raise ActionRefused(Refusal.BAD_VALUE, "tool.definition", quoted(self.definition))


@dataclass(frozen=True, slots=True)
class Principal:
    """For whom it is done, and by which agent; `person` and `agent` may be empty."""

    tenant: str
    person: str
    identity: str
    agent: str = ""

    def __post_init__(self) -> None:
        _identifier(self.tenant, "principal.tenant")
        _identifier(self.person, "principal.person", optional=True)
        _identifier(self.identity, "principal.identity")
        _identifier(self.agent, "principal.agent", optional=True)


@dataclass(frozen=True, slots=True)
class Target:
    """A resource that is acted on, at the version that was seen, by the name it had then.

    The name is there for the people who decide; an executor that knows the resource
    under another name must refuse, or a wrong name could get a right id approved.
    """

    type: str
    id: str
    version: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        _identifier(self.type, "targets.type")
        _text(self.id, "targets.id")
        _text(self.version, "targets.version")
        _text(self.name, "targets.name")
        if not self.id:
            raise ActionRefused(Refusal.BAD_VALUE, "targets.id", "empty")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Action:
    """One action. Immutable all through; equal when its canonical bytes are.

    `arguments` is kept as read-only mappings and tuples; `document()` gives plain ones.
    """

    kind: ActionKind
    tool: Tool
    executor: str
    principal: Principal
    source_sphere: str = ""
    target_sphere: str = ""
    targets: tuple[Target, ...] = ()
    arguments: Mapping[str, Json] = field(default_factory=dict)
    thread: str = ""
    run: str = ""
    _canonical: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name, kind in (("kind", ActionKind), ("tool", Tool), ("principal", Principal)):
            if type(getattr(self, name)) is not kind:
                raise ActionRefused(Refusal.WRONG_TYPE, name)
        _identifier(self.executor, "executor")
        for name in ("source_sphere", "target_sphere", "thread", "run"):
            _identifier(getattr(self, name), name, optional=True)
        _check_targets(self.targets)
        if not isinstance(self.arguments, Mapping):
            raise ActionRefused(Refusal.WRONG_TYPE, "arguments")
        arguments = plain(self.arguments, (None, "arguments"), depth=2)
        object.__setattr__(self, "arguments", _frozen(arguments))
        data = encode(self._document(arguments))
        if len(data) > MAX_BYTES:
            raise ActionRefused(Refusal.TOO_LARGE, found=f"{len(data)} bytes")
        object.__setattr__(self, "_canonical", data)

    @classmethod
    def parse(cls, data: bytes) -> Action:
        """The action that these bytes are; refuses bytes that are not its canonical ones."""
        document = _members(read(data, MAX_BYTES), _DOCUMENT, "")
        if document.pop("version") != VERSION:
            raise ActionRefused(Refusal.BAD_VALUE, "version", f"only {VERSION} is known")
        targets = document.pop("targets")
        if type(targets) is not list:
            raise ActionRefused(Refusal.WRONG_TYPE, "targets")
        if type(document["arguments"]) is not dict:
            raise ActionRefused(Refusal.WRONG_TYPE, "arguments")
        action = cls(
            kind=_kind(document.pop("kind")),
            tool=_part(Tool, document.pop("tool"), "tool"),
            principal=_part(Principal, document.pop("principal"), "principal"),
            targets=tuple(_part(Target, item, f"targets[{n}]") for n, item in enumerate(targets)),
            **document,
        )
        if action.canonical() != data:
            raise ActionRefused(Refusal.NOT_CANONICAL)
        return action

    def canonical(self) -> bytes:
        """The RFC 8785 bytes: what travels, is hashed, approved and run."""
        return self._canonical

    @property
    def digest(self) -> str:
        """The name of exactly this action."""
        return digest(self._canonical)

    @property
    def shape_digest(self) -> str:
        """The name of this action whichever run of whichever thread it comes from."""
        document = self.document()
        del document["thread"], document["run"]
        return digest(encode(document))

    def document(self) -> dict[str, Any]:
        """The action as a plain JSON document; a fresh copy each time."""
        return self._document(plain(self.arguments))

    def _document(self, arguments: dict[str, Any]) -> dict[str, Any]:
        principal = self.principal
        return {
            "version": VERSION,
            "kind": self.kind.value,
            "tool": {"name": self.tool.name, "definition": self.tool.definition},
            "executor": self.executor,
            "principal": {
                "tenant": principal.tenant,
                "person": principal.person,
                "identity": principal.identity,
                "agent": principal.agent,
            },
            "source_sphere": self.source_sphere,
            "target_sphere": self.target_sphere,
            "targets": [
                {
                    "type": target.type,
                    "id": target.id,
                    "version": target.version,
                    "name": target.name,
                }
                for target in self.targets
            ],
            "arguments": arguments,
            "thread": self.thread,
            "run": self.run,
        }

    def __eq__(self, other: object) -> bool:
        # Not field by field: Python holds True == 1, and their digests differ.
        return isinstance(other, Action) and self._canonical == other._canonical

    def __hash__(self) -> int:
        return hash(self._canonical)


_DOCUMENT = {item.name for item in fields(Action) if item.init} | {"version"}
_PARTS = {part: {item.name for item in fields(part)} for part in (Tool, Principal, Target)}

Part = TypeVar("Part", Tool, Principal, Target)


def _part(part: type[Part], value: object, path: str) -> Part:
    return part(**_members(value, _PARTS[part], path))


def _members(value: object, names: set[str], path: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise ActionRefused(Refusal.WRONG_TYPE, path, "not an object")
    if unknown := value.keys() - names:
        raise ActionRefused(Refusal.UNKNOWN_FIELD, path, quoted(min(unknown)))
    if missing := names - value.keys():
        raise ActionRefused(Refusal.MISSING_FIELD, path, min(missing))
    return value


def _kind(value: object) -> ActionKind:
    if type(value) is not str:
        raise ActionRefused(Refusal.WRONG_TYPE, "kind")
    try:
        return ActionKind(value)
    except ValueError:
        raise ActionRefused(Refusal.BAD_VALUE, "kind", quoted(value)) from None


def _check_targets(targets: Sequence[Target]) -> None:
    if type(targets) is not tuple or any(type(target) is not Target for target in targets):
        raise ActionRefused(Refusal.WRONG_TYPE, "targets")
    # One resource at two versions could be approved at one and run at the other.
    if len({(target.type, target.id) for target in targets}) != len(targets):
        raise ActionRefused(Refusal.BAD_VALUE, "targets", "the same resource twice")


def _text(value: object, path: str) -> None:
    if type(value) is not str:
        raise ActionRefused(Refusal.WRONG_TYPE, path)
    checked_text(value, (None, path))
    if len(value) > _MAX_TEXT:
        raise ActionRefused(Refusal.BAD_VALUE, path, f"{len(value)} characters")


def _identifier(value: object, path: str, *, optional: bool = False) -> None:
    _text(value, path)
    if not (_IDENTIFIER.fullmatch(str(value)) or (optional and value == "")):
        raise ActionRefused(Refusal.BAD_VALUE, path, quoted(str(value)))


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({key: _frozen(item) for key, item in value.items()})
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    return value
