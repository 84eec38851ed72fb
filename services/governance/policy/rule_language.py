"""The language of conditions: CEL over typed variables, with errors that point at the place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from cel_expr_python.cel import Activation, Env, Expression, NewEnv, Type

from chenu_gate.action import Action
from services.governance.policy.counters import amount_of
from services.governance.policy.rule_growth import puts_together
from services.governance.policy.rule_tree import root

VARIABLES: Final[Mapping[str, Type]] = {
    "action.kind": Type.STRING,
    "action.tool": Type.STRING,
    "action.executor": Type.STRING,
    "action.tenant": Type.STRING,
    "action.person": Type.STRING,
    "action.identity": Type.STRING,
    "action.agent": Type.STRING,
    "action.source_sphere": Type.STRING,
    "action.target_sphere": Type.STRING,
    "action.targets": Type.List(Type.Map(Type.STRING, Type.STRING)),
    "action.arguments": Type.Map(Type.STRING, Type.DYN),
    "action.amount": Type.INT,
    "action.thread": Type.STRING,
    "action.run": Type.STRING,
    "caller.tenant": Type.STRING,
    "caller.person": Type.STRING,
    "caller.identity": Type.STRING,
    "caller.identities": Type.List(Type.STRING),
    "caller.agent": Type.STRING,
    "caller.actor": Type.STRING,
    "requires_checkpoint": Type.BOOL,
    "time": Type.TIMESTAMP,
}
_COUNTER: Final = re.compile(r"\bcounters\.([a-z][a-z0-9_]*)")
_PLACED: Final = re.compile(r"(?:[A-Z_]+: )?ERROR: <input>:(\d+):(\d+): (.*)")
_STATUS: Final = re.compile(r"^[A-Z_]+: |\s*\[[A-Z_]+\]\s*$")


_GROWS: Final = (
    "inside all, exists, exists_one and filter nothing is put together: no +, no map(), no list or"
    " map of what is gone through; it could grow without end"
)


class Mistake(NamedTuple):
    """Why a condition does not compile; line and column from 1, 0 where there is none.

    `text` says it with the place: "1:7: undeclared reference…", then the line and a caret.
    """

    line: int
    column: int
    text: str


class ConditionInvalid(ValueError):
    """A condition that does not compile."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(mistake.text for mistake in self.mistakes))


class Language:
    """Compiles conditions that may name these counters."""

    def __init__(self, counters: Iterable[str] = ()) -> None:
        self._environment = _environment(tuple(sorted(counters)))

    def compile(self, condition: str) -> Expression:
        """The condition, ready to be evaluated; ConditionInvalid says where it is wrong."""
        try:
            expression = self._environment.compile(condition)
        except RuntimeError as error:
            raise ConditionInvalid(_mistakes(str(error))) from None
        if expression.return_type() != Type.BOOL:
            told = f"1:1: the condition must be true or false, not {expression.return_type()}"
            raise ConditionInvalid([Mistake(1, 1, f"{told}\n{_pointed(condition, 1, 1)}")])
        if puts_together(root(expression)):
            raise ConditionInvalid([Mistake(0, 0, _GROWS)])
        return expression

    def activation(self, bindings: Mapping[str, Any]) -> Activation:
        """The variables of one action; a condition over what is not bound cannot be evaluated."""
        return self._environment.Activation(bindings)


def counters_in(condition: str) -> frozenset[str]:
    """The names of the counters that a condition speaks of."""
    return frozenset(_COUNTER.findall(condition))


def bindings(action: Action, caller: Mapping[str, Any]) -> dict[str, Any]:
    """The variables that are known of an action; `caller` has the facts by their names."""
    document = action.document()
    amount = amount_of(action)
    known = {
        "action.kind": action.kind.value,
        "action.tool": action.tool.name,
        "action.executor": action.executor,
        "action.tenant": action.principal.tenant,
        "action.person": action.principal.person,
        "action.identity": action.principal.identity,
        "action.agent": action.principal.agent,
        "action.source_sphere": action.source_sphere,
        "action.target_sphere": action.target_sphere,
        "action.targets": document["targets"],
        "action.arguments": document["arguments"],
        "action.thread": action.thread,
        "action.run": action.run,
        **caller,
    }
    return known if amount is None else known | {"action.amount": amount}


@lru_cache(maxsize=64)
def _environment(counters: tuple[str, ...]) -> Env:
    return NewEnv(variables={**VARIABLES, **{f"counters.{name}": Type.INT for name in counters}})


def _mistakes(told: str) -> list[Mistake]:
    """Each error of the compiler, with the line it points into and its caret."""
    found: list[Mistake] = []
    for line in _STATUS.sub("", told).splitlines():
        placed = _PLACED.fullmatch(line)
        if placed:
            text = placed[3].replace(" (in container '')", "").strip()
            found.append(
                Mistake(int(placed[1]), int(placed[2]), f"{placed[1]}:{placed[2]}: {text}")
            )
        elif found:
            found[-1] = found[-1]._replace(text=f"{found[-1].text}\n{line.rstrip()}")
    return found or [Mistake(0, 0, _STATUS.sub("", told).strip())]


def _pointed(condition: str, line: int, column: int) -> str:
    shown = (condition.splitlines() or [""])[line - 1]
    return f" | {shown}\n | {'.' * (column - 1)}^"
