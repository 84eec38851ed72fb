"""JSON that has one form only: RFC 8785 without floats, read strictly."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeAlias

import rfc8785

from chenu_gate.refusal import ActionRefused, Refusal, quoted

# A value as callers may hand it in: any mapping, any list or tuple.
Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | bool | None"
# Where in a document something stands: linked steps, spelled out only when they are shown.
Place: TypeAlias = "tuple[Place, str | int] | None"

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 16
_BEHIND_SURROGATES = re.compile("[\ue000-\U0010ffff]")
# In C; strings and integers are spelled as RFC 8785 has them, and there are no floats.
_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
_LONGEST_INTEGER = len(str(-MAX_INTEGER))


def read(data: bytes, limit: int) -> Any:
    """The value that these bytes spell; `ActionRefused` where readers could disagree on it.

    Whether the bytes are the canonical ones is for the caller to compare, with `write`.
    """
    if len(data) > limit:
        raise ActionRefused(Refusal.TOO_LARGE, found=f"{len(data)} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ActionRefused(Refusal.NOT_UTF8, found=f"byte {error.start}") from None
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=_refuse_float,
            parse_int=_integer,
            parse_constant=_refuse_float,
        )
    except json.JSONDecodeError as error:
        raise ActionRefused(Refusal.NOT_JSON, found=f"character {error.pos}") from None
    except RecursionError:
        raise ActionRefused(Refusal.TOO_DEEP) from None


def write(value: Json) -> bytes:
    """The RFC 8785 bytes of a value; `ActionRefused` for what has no such form here."""
    return encode(plain(value))


def encode(value: Any) -> bytes:
    """The RFC 8785 bytes of what `plain` returned."""
    text = _encode(value)
    # RFC 8785 sorts keys by UTF-16 units, we by code points: the same up to the surrogates.
    if text.isascii() or not _BEHIND_SURROGATES.search(text):
        return text.encode()
    return rfc8785.dumps(value)


def digest(data: bytes) -> str:
    """The name of these bytes: `sha256:` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def plain(value: Json, place: Place = None, depth: int = 1) -> Any:
    """A copy in dicts, lists and scalars of the exact types, checked on the way.

    Exact types, since a bool is an int and an enum may be a str: what is hashed must not
    depend on a subclass.
    """
    if value is None or type(value) is bool:
        return value
    if type(value) is str:
        return checked_text(value, place)
    if type(value) is int:
        if abs(value) > MAX_INTEGER:
            raise ActionRefused(Refusal.INTEGER_RANGE, spelled(place))
        return value
    # The exact types first: asking an abstract class is slow.
    if type(value) is dict or isinstance(value, Mapping):
        _check_depth(depth, place)
        return {
            _key(key, place): plain(item, (place, key), depth + 1) for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        _check_depth(depth, place)
        return [plain(item, (place, index), depth + 1) for index, item in enumerate(value)]
    refusal = Refusal.FLOAT if isinstance(value, float) else Refusal.WRONG_TYPE
    raise ActionRefused(refusal, spelled(place), type(value).__name__)


def checked_text(text: str, place: Place) -> str:
    """The text itself, which UTF-8 must be able to carry."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ActionRefused(Refusal.LONE_SURROGATE, spelled(place)) from None
    return text


def spelled(place: Place) -> str:
    """The place in words that are unambiguous for every key: `a.b[0]["odd key"]`."""
    steps: list[str] = []
    while place is not None:
        place, step = place
        if isinstance(step, int):
            steps.append(f"[{step}]")
        elif step.isascii() and step.isidentifier():
            steps.append(step if place is None else f".{step}")
        else:
            steps.append(f"[{json.dumps(step, ensure_ascii=False)}]")
    return "".join(reversed(steps))


def _key(key: object, place: Place) -> str:
    if type(key) is not str:
        found = f"a key of type {type(key).__name__}"
        raise ActionRefused(Refusal.WRONG_TYPE, spelled(place), found)
    return checked_text(key, place)


def _check_depth(depth: int, place: Place) -> None:
    if depth > MAX_DEPTH:
        raise ActionRefused(Refusal.TOO_DEEP, spelled(place))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise ActionRefused(Refusal.DUPLICATE_KEY, found=quoted(key))
        members[key] = value
    return members


def _integer(literal: str) -> int:
    # Measured before it is converted: int() is slow, then refuses, for thousands of digits.
    if len(literal) > _LONGEST_INTEGER or abs(int(literal)) > MAX_INTEGER:
        raise ActionRefused(Refusal.INTEGER_RANGE, found=quoted(literal, 24))
    return int(literal)


def _refuse_float(literal: str) -> NoReturn:
    raise ActionRefused(Refusal.FLOAT, found=quoted(literal, 24))
