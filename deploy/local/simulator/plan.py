"""A plan as the simulator answers it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

# What other tools call the arguments that the simulator knows by the first name.
_ALSO_CALLED: Final[Mapping[str, tuple[str, ...]]] = {
    "text": ("content", "message"),
    "payload": ("body", "data"),
}


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a tool."""

    tool: str
    arguments: dict[str, Any]

    def fitted(self, schema: Mapping[str, Any]) -> "Call":
        """The call in the words of the tool's own schema: the names and types that it asks for."""
        properties = schema.get("properties") or {}
        arguments = {}
        for name, value in self.arguments.items():
            others = _ALSO_CALLED.get(name, ()) if name not in properties else ()
            called = next((other for other in others if other in properties), name)
            arguments[called] = _typed(value, properties.get(called, {}).get("type"))
        return Call(self.tool, arguments)


@dataclass(frozen=True, slots=True)
class Plan:
    """Words, and the uses of tools that go with them, in order."""

    text: str
    calls: tuple[Call, ...] = ()


def _typed(value: Any, wanted: Any) -> Any:
    if wanted == "object" and isinstance(value, str):
        return {"text": value}
    if wanted == "string" and isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return value
