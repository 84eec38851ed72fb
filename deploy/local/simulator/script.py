"""Plans and faults that a test writes into its request, in lines that begin with `#simulate`."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from deploy.local.simulator.plan import Call, Plan

_PLAN: Final = re.compile(r"^[ \t]*#simulate:(.*)$", re.MULTILINE)
_FAULT: Final = re.compile(r"^[ \t]*#simulate-fault:(.*)$", re.MULTILINE)
_FAULT_VALUE: Final = re.compile(
    r"(overloaded|slow|truncate|wrong_model|garbage)(?::([0-9]{1,9}))?"
)


class ScriptInvalid(ValueError):
    """A line that begins with `#simulate` and cannot be read."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with an answer; `amount` is milliseconds, or how often, or nothing."""

    kind: str
    amount: int | None = None


def scripted_plan(request: str, rounds: int) -> Plan | None:
    """The plan that the request dictates for this round; None where it dictates none."""
    found = _PLAN.search(request)
    if not found:
        return None
    try:
        script = json.loads(found[1])
        json.dumps(script, ensure_ascii=False).encode()  # half a surrogate pair is no text
        steps = script if isinstance(script, list) else [script]
        return _plan(steps[rounds]) if rounds < len(steps) else Plan("The script has ended.")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ScriptInvalid(f"#simulate: {error!r}") from error


def scripted_faults(request: str) -> Sequence[Fault]:
    """The faults that the request asks for."""
    faults = []
    for found in _FAULT.finditer(request):
        value = _FAULT_VALUE.fullmatch(found[1].strip())
        if not value or (value[1] == "slow" and not value[2]):
            raise ScriptInvalid(f"#simulate-fault: {found[1].strip()!r} is no fault")
        faults.append(Fault(value[1], int(value[2]) if value[2] else None))
    return faults


def without_script(request: str) -> str:
    """The request's own words."""
    return _FAULT.sub("", _PLAN.sub("", request)).strip()


def _plan(step: dict[str, Any]) -> Plan:
    text = str(step.get("text", ""))
    calls = [Call(str(tool["name"]), dict(tool["input"])) for tool in step.get("tools", [])]
    if step.get("finish"):
        calls.append(Call("finish", {"answer": text}))
    return Plan(text, tuple(calls))
