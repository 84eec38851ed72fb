"""An action as people write it to try rules out: only what matters, the rest filled in.

    trial_action({"kind": "send", "arguments": {"to": "a@b.example"}}, principal)

Nothing ever runs by it: its tool is pinned to no definition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from chenu_gate.action import MAX_BYTES, VERSION, Action, Principal
from chenu_gate.canonical_json import read, write

_UNPINNED: Final = "sha256:" + "0" * 64
_PLAIN: Final[Mapping[str, Any]] = {
    "version": VERSION,
    "kind": "execute",
    "executor": "threads",
    "source_sphere": "",
    "target_sphere": "",
    "targets": [],
    "arguments": {},
    "thread": "",
    "run": "",
}


def trial_action(given: Any, principal: Principal) -> Action:
    """The action; ActionRefused or ValueError say what is wrong with what was given.

    A tool may be its name only; of the principal and of targets some members may be left out.
    """
    plain = read(write(given), MAX_BYTES)
    if not isinstance(plain, dict):
        raise ValueError("the action is not a JSON object")  # noqa: TRY004 - told to people
    tool, targets = plain.get("tool", "test"), plain.get("targets", [])
    if not isinstance(targets, list):
        raise ValueError("the targets are not a list")  # noqa: TRY004
    whole = {
        **_PLAIN,
        **plain,
        "tool": {"name": tool, "definition": _UNPINNED} if isinstance(tool, str) else tool,
        "principal": {
            "tenant": principal.tenant,
            "person": principal.person,
            "identity": principal.identity,
            "agent": principal.agent,
            **_members(plain.get("principal", {})),
        },
        "targets": [{"version": "", "name": "", **_members(target)} for target in targets],
    }
    return Action.parse(write(whole))


def _members(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("a principal and a target are JSON objects")  # noqa: TRY004
    return value
