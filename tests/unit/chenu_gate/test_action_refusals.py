from __future__ import annotations

import json
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chenu_gate.action import MAX_BYTES, Action, Target
from chenu_gate.canonical_json import MAX_INTEGER, read
from chenu_gate.refusal import ActionRefused, Refusal
from tests.support.actions import DEFINITION, an_action


def refusal_of(data: bytes) -> Refusal:
    with pytest.raises(ActionRefused) as refused:
        Action.parse(data)
    return refused.value.refusal


def with_members(**members: Any) -> bytes:
    """The canonical bytes of an action some of whose members were replaced."""
    document = an_action().document() | members
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def without(action: bytes, old: bytes, new: bytes) -> bytes:
    assert action.count(old) == 1
    return action.replace(old, new)


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_any_bytes_at_all_are_refused_with_a_reason(data: bytes) -> None:
    with pytest.raises(ActionRefused) as refused:
        Action.parse(data)

    assert refused.value.reason == "ACTION_INVALID"
    assert refused.value.cause in str(refused.value)
    assert str(refused.value).endswith(refused.value.next_step)
    assert str(refused.value).isascii()


def test_bytes_that_say_the_same_in_another_form_are_refused() -> None:
    data = an_action(arguments={"n": 7, "s": "é/"}).canonical()
    document = json.loads(data)

    spaced = json.dumps(document, sort_keys=True, ensure_ascii=False).encode()
    escaped = without(data, "é".encode(), b"\\u00e9")
    unsorted = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    reordered = without(unsorted, b'"n":7,"s":"\xc3\xa9/"', b'"s":"\xc3\xa9/","n":7')
    for other in (spaced, escaped, reordered, data + b"\n", b" " + data):
        assert json.loads(other) == document
        assert refusal_of(other) is Refusal.NOT_CANONICAL
    assert refusal_of(without(data, b":7,", b":-0,")) is Refusal.NOT_CANONICAL
    assert refusal_of(without(data, b"/", b"\\/")) is Refusal.NOT_CANONICAL


def test_a_key_given_twice_is_refused() -> None:
    data = an_action(arguments={"to": "alice"}).canonical()

    assert (
        refusal_of(without(data, b'"to":"alice"', b'"to":"alice","to":"mallory"'))
        is Refusal.DUPLICATE_KEY
    )
    assert refusal_of(b'{"kind":"send",' + data[1:]) is Refusal.DUPLICATE_KEY


@pytest.mark.parametrize(
    ("field", "inner"),
    [(None, "extra"), ("tool", "url"), ("principal", "role"), ("targets", "etag")],
)
def test_an_unknown_field_is_refused_wherever_it_stands(field: str | None, inner: str) -> None:
    document = an_action().document()
    place = document if field is None else document[field]
    (place[0] if isinstance(place, list) else place)[inner] = "x"

    assert refusal_of(with_members(**document)) is Refusal.UNKNOWN_FIELD


@pytest.mark.parametrize("field", sorted(an_action().document()))
def test_a_missing_field_is_refused(field: str) -> None:
    document = an_action().document()
    del document[field]

    data = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    assert refusal_of(data) is Refusal.MISSING_FIELD


@pytest.mark.parametrize(
    ("members", "refusal"),
    [
        ({"version": "chenu.action.v2"}, Refusal.BAD_VALUE),
        ({"version": 1}, Refusal.BAD_VALUE),
        ({"kind": "unknown"}, Refusal.BAD_VALUE),
        ({"kind": "DELETE"}, Refusal.BAD_VALUE),
        ({"kind": 1}, Refusal.WRONG_TYPE),
        ({"kind": None}, Refusal.WRONG_TYPE),
        ({"tool": "thread.delete"}, Refusal.WRONG_TYPE),
        ({"tool": {"name": "thread.delete", "definition": "md5:00"}}, Refusal.BAD_VALUE),
        ({"tool": {"name": "t", "definition": DEFINITION.upper()}}, Refusal.BAD_VALUE),
        ({"tool": {"name": "t", "definition": DEFINITION + "0"}}, Refusal.BAD_VALUE),
        ({"tool": {"name": "", "definition": DEFINITION}}, Refusal.BAD_VALUE),
        ({"tool": {"name": "a b", "definition": DEFINITION}}, Refusal.BAD_VALUE),
        ({"tool": {"name": "t\n", "definition": DEFINITION}}, Refusal.BAD_VALUE),
        ({"tool": {"name": "thread․delete", "definition": DEFINITION}}, Refusal.BAD_VALUE),
        ({"executor": ""}, Refusal.BAD_VALUE),
        ({"executor": ["threads"]}, Refusal.WRONG_TYPE),
        ({"principal": None}, Refusal.WRONG_TYPE),
        (
            {"principal": {"tenant": "", "person": "", "identity": "i", "agent": ""}},
            Refusal.BAD_VALUE,
        ),
        (
            {"principal": {"tenant": "t", "person": "", "identity": "", "agent": ""}},
            Refusal.BAD_VALUE,
        ),
        (
            {"principal": {"tenant": 7, "person": "", "identity": "i", "agent": ""}},
            Refusal.WRONG_TYPE,
        ),
        ({"source_sphere": None}, Refusal.WRONG_TYPE),
        ({"target_sphere": "no such\nsphere"}, Refusal.BAD_VALUE),
        ({"targets": {}}, Refusal.WRONG_TYPE),
        ({"targets": ["thread/1"]}, Refusal.WRONG_TYPE),
        ({"targets": [{"type": "thread", "id": "", "version": "", "name": ""}]}, Refusal.BAD_VALUE),
        ({"targets": [{"type": "thread", "id": 1, "version": "", "name": ""}]}, Refusal.WRONG_TYPE),
        (
            {"targets": [{"type": "thread", "id": "x" * 1025, "version": "", "name": ""}]},
            Refusal.BAD_VALUE,
        ),
        (
            {"targets": [{"type": "t", "id": "1", "version": v, "name": ""} for v in ("1", "2")]},
            Refusal.BAD_VALUE,
        ),
        ({"arguments": []}, Refusal.WRONG_TYPE),
        ({"arguments": None}, Refusal.WRONG_TYPE),
        ({"arguments": {"amount": 1.5}}, Refusal.FLOAT),
        ({"arguments": {"amount": 1.0}}, Refusal.FLOAT),
        ({"arguments": {"amount": 1e30}}, Refusal.FLOAT),
        ({"arguments": {"amount": float("nan")}}, Refusal.FLOAT),
        ({"arguments": {"amount": float("-inf")}}, Refusal.FLOAT),
        ({"arguments": {"amount": MAX_INTEGER + 1}}, Refusal.INTEGER_RANGE),
        ({"arguments": {"amount": -MAX_INTEGER - 1}}, Refusal.INTEGER_RANGE),
        ({"arguments": {"amount": int("9" * 4000)}}, Refusal.INTEGER_RANGE),
        ({"arguments": {"name": "\ud800"}}, Refusal.LONE_SURROGATE),
        ({"arguments": {"\udfff": 1}}, Refusal.LONE_SURROGATE),
        (
            {"targets": [{"type": "t", "id": "\udead", "version": "", "name": ""}]},
            Refusal.LONE_SURROGATE,
        ),
        ({"thread": "\ud800"}, Refusal.LONE_SURROGATE),
        ({"run": "a" * 201}, Refusal.BAD_VALUE),
    ],
)
def test_a_document_of_another_form_is_refused(members: dict[str, Any], refusal: Refusal) -> None:
    assert refusal_of(with_members(**members)) is refusal


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (b"", Refusal.NOT_JSON),
        (b"{", Refusal.NOT_JSON),
        (b"[]", Refusal.WRONG_TYPE),
        (b"null", Refusal.WRONG_TYPE),
        (b"{} {}", Refusal.NOT_JSON),
        (b"\xff{}", Refusal.NOT_UTF8),
        (b"\xed\xa0\x80", Refusal.NOT_UTF8),
        (b"\xef\xbb\xbf{}", Refusal.NOT_JSON),
        (b'{"a":"\x01"}', Refusal.NOT_JSON),
        (b"[" * 30_000, Refusal.TOO_DEEP),
        (b"1" * 20_000, Refusal.INTEGER_RANGE),
        (b" " * (MAX_BYTES + 1), Refusal.TOO_LARGE),
    ],
)
def test_bytes_that_are_no_document_are_refused(data: bytes, refusal: Refusal) -> None:
    assert refusal_of(data) is refusal


def nested(depth: int) -> Any:
    value: Any = "bottom"
    for _ in range(depth):
        value = [value]
    return value


def test_sixteen_levels_are_taken_and_seventeen_are_refused() -> None:
    # The document and `arguments` are two of them.
    deepest = an_action(arguments={"a": nested(14)})
    assert Action.parse(deepest.canonical()) == deepest

    assert refusal_of(with_members(arguments={"a": nested(15)})) is Refusal.TOO_DEEP
    with pytest.raises(ActionRefused, match="TOO_DEEP at arguments"):
        an_action(arguments={"a": nested(15)})


def test_an_action_fills_the_limit_and_not_one_byte_more() -> None:
    room = MAX_BYTES - len(an_action(arguments={"text": ""}).canonical())
    full = an_action(arguments={"text": "x" * room})

    assert len(full.canonical()) == MAX_BYTES
    assert Action.parse(full.canonical()) == full
    with pytest.raises(ActionRefused, match="TOO_LARGE"):
        an_action(arguments={"text": "x" * (room + 1)})


class Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize("value", [Colour.RED, b"bytes", {1, 2}, object(), {1: "a"}])
def test_a_builder_refuses_values_that_json_does_not_have(value: Any) -> None:
    with pytest.raises(ActionRefused, match=r"WRONG_TYPE at arguments\.value"):
        an_action(arguments={"value": value})


@pytest.mark.parametrize(
    ("value", "refusal"),
    [
        (MAX_INTEGER + 1, Refusal.INTEGER_RANGE),
        (-MAX_INTEGER - 1, Refusal.INTEGER_RANGE),
        (0.5, Refusal.FLOAT),
        ("\ud800", Refusal.LONE_SURROGATE),
    ],
)
def test_a_builder_refuses_what_readers_could_disagree_on(value: Any, refusal: Refusal) -> None:
    with pytest.raises(ActionRefused) as refused:
        an_action(arguments={"value": value})
    assert (refused.value.refusal, refused.value.path) == (refusal, "arguments.value")


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (b"1.0", Refusal.FLOAT),
        (b"1e3", Refusal.FLOAT),
        (b"NaN", Refusal.FLOAT),
        (b"-Infinity", Refusal.FLOAT),
        (str(MAX_INTEGER + 1).encode(), Refusal.INTEGER_RANGE),
        (b'{"a":1,"a":1}', Refusal.DUPLICATE_KEY),
    ],
)
def test_the_reader_itself_refuses_what_readers_could_disagree_on(
    data: bytes, refusal: Refusal
) -> None:
    with pytest.raises(ActionRefused) as refused:
        read(data, MAX_BYTES)
    assert refused.value.refusal is refusal


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "delete"},
        {"tool": ("thread.delete", DEFINITION)},
        {"principal": {}},
        {"targets": [Target("thread", "1")]},
        {"targets": ("thread/1",)},
        {"arguments": ["a"]},
        {"executor": None},
    ],
)
def test_a_builder_refuses_parts_of_another_type(change: dict[str, Any]) -> None:
    with pytest.raises(ActionRefused, match="WRONG_TYPE"):
        an_action(**change)


def test_a_refusal_shows_where_and_in_ascii_only() -> None:
    with pytest.raises(ActionRefused) as refused:
        an_action(arguments={"list": [{"clé\u202e": 1.5}]})

    assert refused.value.refusal is Refusal.FLOAT
    assert 'arguments.list[0]["cl\\xe9\\u202e"]' in str(refused.value)
