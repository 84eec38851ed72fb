"""How many steps a condition may take over an action, known before it is evaluated. Pure.

CEL's evaluator counts how often loops go round, and not what they do meanwhile: to compare two
lists is one operation to it, however long they are, and nothing can interrupt it. So the operations
of a condition are counted when it is compiled, by the loops that they are in. Some take one step,
others may look at all of an action. What that comes to is compared with what conditions may take
before anything is evaluated. It is a bound and not an estimate: they take no more than that.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Final, NamedTuple

from services.governance.policy import rule_tree as tree

STEPS: Final = 100_000_000
"""What the rules of one set may take together over one action; a step is some 20 ns at the most."""
_ROUNDS: Final = 10_000
"""How often the loops of one evaluation go round at the most: the evaluator counts that."""
_WITHOUT_BOUND: Final = STEPS
_REPEATED: Final = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_MOST_REPEATED: Final = 1_000
# States of a class of characters, which are the bytes of UTF-8 to the engine.
_CLASSES: Final = {r"\p": 1_000, r"\P": 1_000, "[^": 50, ".": 10}
_SEARCHED: Final = 16
"""How often a text is looked at to find another in it that is all but like it."""
# They look at no operand as a whole, …
_PLAIN: Final = frozenset({
    "_&&_", "_||_", "!_", "_?_:_", "@not_strictly_false", "_[_]", "-_", "_-_", "_*_", "_/_", "_%_",
})  # fmt: skip
# … and these at no more of it than of the constant beside it.
_COMPARING: Final = frozenset({
    "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "startsWith", "endsWith",
})  # fmt: skip


class Extent(NamedTuple):
    """What a condition has before it: characters in all, elements of the longest list or map."""

    size: int
    longest: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What conditions do, by the number of loops around it: steps, and looks at all there is."""

    plain: Mapping[int, int]
    looks: Mapping[int, int]
    literal: int = 0
    """Elements of the longest list or map that stands in a condition itself."""
    added: int = 0
    """How often something is added: a value may be so many times longer than all of an action."""

    def steps(self, extent: Extent) -> int:
        """The most that the conditions take together."""
        grown = 1 + self.added
        longest = max(extent.longest, self.literal, 1) * grown
        plain = sum(count * _rounds(longest, depth) for depth, count in self.plain.items())
        looks = sum(count * _rounds(longest, depth) for depth, count in self.looks.items())
        return plain + looks * extent.size * grown


def cost_of(root: bytes) -> Cost:
    """What a condition does."""
    plain: Counter[int] = Counter()
    looks: Counter[int] = Counter()
    literal = added = 0
    for depth, kind, content in _operations(root):
        plain[depth] += 1
        if kind == tree.CALL:
            looks[depth] += _looks(content)
            added += tree.function(content) == "_+_" and depth == 0
        elif kind in (tree.LIST, tree.MAP):
            literal = max(literal, sum(1 for _ in tree.fields(content)))
    return Cost(plain, +looks, literal, added)


def together(costs: Iterable[Cost]) -> Cost:
    """What all of them do."""
    plain: Counter[int] = Counter()
    looks: Counter[int] = Counter()
    literal = added = 0
    for cost in costs:
        plain.update(cost.plain)
        looks.update(cost.looks)
        literal, added = max(literal, cost.literal), max(added, cost.added)
    return Cost(plain, looks, literal, added)


def extent_of(known: Mapping[str, Any]) -> Extent:
    """Of the variables of one action."""
    sizes = [_extent(value) for value in known.values()]
    return Extent(sum(one.size for one in sizes), max((one.longest for one in sizes), default=0))


def _extent(value: Any) -> Extent:
    if isinstance(value, str):
        return Extent(len(value) + 1, 0)
    if not isinstance(value, list | dict):
        return Extent(1, 0)
    parts = [*map(_extent, value.values() if isinstance(value, dict) else value)]
    names = sum(map(len, value)) if isinstance(value, dict) else 0
    return Extent(
        1 + names + len(value) + sum(part.size for part in parts),
        max([len(value), *(part.longest for part in parts)]),
    )


def _rounds(longest: int, depth: int) -> int:
    return min(_ROUNDS, longest**depth) if depth else 1


def _operations(root: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Each part of an expression, with the number of loops around it."""
    waiting = [(0, root)]
    while waiting:
        depth, expression = waiting.pop()
        for kind, content in tree.fields(expression):
            yield depth, kind, content
            if kind == tree.LOOP:
                waiting += [
                    (depth + (number in tree.BODY), part)
                    for number, part in tree.fields(content)
                    if number == tree.RANGE or number in tree.BODY
                ]
            else:
                waiting += [(depth, part) for part in tree.operands(kind, content)]


def _looks(call: bytes) -> int:
    """How often a call may look at all of what is there."""
    name = tree.function(call)
    operands = tree.operands(tree.CALL, call)
    constant = any(map(tree.is_constant, operands))
    if name in _PLAIN or (name in _COMPARING and constant):
        return 0
    if name == "contains":
        return 1 if tree.is_constant(operands[-1]) else _SEARCHED
    if name == "matches":
        return _states(operands[-1])
    return 1


def _states(pattern: bytes) -> int:
    """How many states a pattern has at the most; one that nobody knows beforehand has no bound."""
    if not tree.is_constant(pattern):
        return _WITHOUT_BOUND
    text = tree.text(pattern)
    times = [max(int(count or 1) for count in found) for found in _REPEATED.findall(text)]
    written = len(text) + sum(weight * text.count(part) for part, weight in _CLASSES.items())
    # As if each were within the others: of those the engine takes what comes to a thousand.
    return max(1, written) * min(prod(max(count, 1) for count in times), _MOST_REPEATED)
