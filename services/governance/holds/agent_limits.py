"""What holds for agents besides the rules: their scopes, and that a person decides for some."""

from __future__ import annotations

from chenu_gate.action import Action
from kernel.caller import Caller
from services.governance.holds.standing import OUT_OF_SCOPE


def out_of_scope(caller: Caller, action: Action) -> str:
    """Why the agent may not use the tool at all; empty where it may.

    A scope is a tool's name, or "thread.*" for all of a noun; an agent without any may use what
    its person may.
    """
    scopes = caller.claims.get("scopes") or ()
    if not caller.agent or not scopes or any(_covers(scope, action) for scope in scopes):
        return ""
    return f"{OUT_OF_SCOPE}: {action.tool.name} is not among what the agent may use"


def always_gated(caller: Caller) -> bool:
    """Whether a person decides whatever the caller asks for."""
    return bool(caller.agent) and caller.claims.get("always_gated") is True


def _covers(scope: str, action: Action) -> bool:
    name = action.tool.name
    return name == scope or (scope.endswith(".*") and name.startswith(scope[:-1]))
