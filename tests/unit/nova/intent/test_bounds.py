"""Reading takes time in proportion to the text: shown by how it is built, not by a clock."""

import re
from collections.abc import Iterator
from re import _constants, _parser  # type: ignore[attr-defined]
from types import ModuleType

import pytest

from services.nova.intent import entities, normalisation, tokens
from services.nova.intent.events import events
from services.nova.intent.tokens import WORDS_AT_MOST, sentences

REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)


def expressions(module: ModuleType) -> Iterator[object]:
    for value in vars(module).values():
        if isinstance(value, re.Pattern):
            yield value
        elif isinstance(value, tuple):
            yield from (form for pair in value if isinstance(pair, tuple) for form in pair[1:])


def endless_within_endless(node: object, inside: bool = False) -> bool:
    if isinstance(node, tuple) and len(node) == 2 and node[0] in REPEATS:
        endless = node[1][1] is _constants.MAXREPEAT
        return (endless and inside) or endless_within_endless(node[1][2], inside or endless)
    if isinstance(node, (tuple, list, _parser.SubPattern)):
        return any(endless_within_endless(part, inside) for part in node)
    return False


def test_the_check_knows_a_catastrophic_expression() -> None:
    assert endless_within_endless(_parser.parse(r"(a+)+b"))
    assert not endless_within_endless(_parser.parse(r"a+b{1,9}"))


@pytest.mark.parametrize("module", [entities, normalisation, tokens])
def test_no_expression_repeats_without_end_what_repeats_without_end(module: ModuleType) -> None:
    found = [form for form in expressions(module) if isinstance(form, re.Pattern)]
    assert found
    allowed = {r"(?:[.,:/]\d+)*", r"(?:'[\w@$]+)*"}  # each round begins with a mark of its own
    for form in found:
        pattern = form.pattern
        for part in allowed:
            pattern = pattern.replace(part, "")
        assert not endless_within_endless(_parser.parse(pattern)), form.pattern


@pytest.mark.parametrize("piece", ["a ", "ab ", "a.", "ab, ", '"', "delete ", "ne ", "€1 "])
def test_no_more_words_are_read_than_allowed_and_no_sentence_is_long(piece: str) -> None:
    parts, _ = sentences((piece * 8_000)[:8_000])
    assert sum(len(part.tokens) for part in parts) <= WORDS_AT_MOST
    assert all(len(part.tokens) <= 100 for part in parts)
    assert all(len(events(part.tokens, "en")) <= len(part.tokens) for part in parts)


def test_a_word_without_end_is_cut_but_what_hides_in_it_is_kept() -> None:
    (part,), _ = sentences("x" * 500 + "delete" + "x" * 500)
    assert [token.word for token in part.tokens] == ["delete"]
