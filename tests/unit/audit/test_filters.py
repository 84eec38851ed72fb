"""Filters: what they mean, and that whatever is no filter is refused in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.errors import InvalidFilter
from services.audit.filters import MAX_DEPTH, MAX_TERMS, All, Node, Not, Some, Term, parse
from services.audit.matching import matching

A, B, C = (Term(name, "=", "1") for name in ("a", "b", "c"))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a = 1", A),
        ("a=1", A),
        ("a = 1 AND b = 1", All((A, B))),
        ("a=1 b=1 AND c=1", All((A, B, C))),
        ("a=1 OR b=1", Some((A, B))),
        ("a=1 AND b=1 OR c=1", All((A, Some((B, C))))),
        ("a=1 OR b=1 AND c=1", All((Some((A, B)), C))),
        ("(a=1 AND b=1) OR c=1", Some((All((A, B)), C))),
        ("NOT a=1", Not(A)),
        ("-a=1 b=1", All((Not(A), B))),
        ("-(a=1 OR b=1)", Not(Some((A, B)))),
        ("lost", Term("", ":", "lost")),
        ('"lost and found"', Term("", ":", "lost and found")),
        ("'it\\'s'", Term("", ":", "it's")),
        ('a = "AND"', Term("a", "=", "AND")),
        ("a:thread/1-2-3", Term("a", ":", "thread/1-2-3")),
        ("time >= 2026-11-22T00:00:00Z", Term("time", ">=", "2026-11-22T00:00:00Z")),
        ("time<2026-11-22T00:00:00.5+01:00", Term("time", "<", "2026-11-22T00:00:00.5+01:00")),
        ("a:*", Term("a", ":", "*")),
    ],
)
def test_a_filter_means_what_the_standard_says(text: str, tree: Node) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_an_empty_filter_lets_everything_through(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "a =", "= 1", "(a=1", "a=1)", "AND", "a=1 AND", "OR a=1", "NOT", "a = = 1", '"open',
        "a=1 OR",
        "()", "!", "a <> 1", "(" * (MAX_DEPTH + 2) + "a=1" + ")" * (MAX_DEPTH + 2),
        " ".join(["a=1"] * (MAX_TERMS + 1)),
    ],
)  # fmt: skip
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(InvalidFilter):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "colour = red", "action = dance", "identity = me", "time > yesterday", "version = many",
        "violation = maybe", "sphere > business", "resource < thread/1", "index = 1e5",
        "time > 2026-11-22T00:00:00", "action > create", "time > 0001-01-01T00:00:00+14:00",
        "log_time < 9999-12-31T23:59:59-14:00",
    ],
)  # fmt: skip
def test_a_field_that_is_not_there_or_a_value_that_is_none_of_its_own_is_refused(text: str) -> None:
    with pytest.raises(InvalidFilter):
        matching(text)


@given(st.text(max_size=80) | st.text("ab=<>!:()\"'- ANDORT\\", max_size=40))
def test_any_text_is_a_filter_or_is_refused(text: str) -> None:
    try:
        matching(text)
    except InvalidFilter:
        return
