"""What an entry must be like to be read: the fields of a request, and its filter."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from chenu.events.v1.audit_event_pb2 import AuditAction
from kernel.caller import UUID, Caller
from services.audit.errors import InvalidFilter
from services.audit.filters import All, Node, Not, Some, Term, parse
from services.audit.tables import entries

_e: Final = entries.c
VIOLATION: Final = sa.or_(_e.denial, _e.action == AuditAction.AUDIT_ACTION_IDENTITY_VIOLATION)
_TEXTS: Final = {
    name: (_e[name],)
    for name in (
        "person", "agent", "service", "sphere", "stream", "request_id", "trace_id", "type",
        "method", "outcome", "source",
    )
} | {"actor": (_e.person, _e.agent, _e.service)}  # fmt: skip
_ORDERED: Final = {
    "time": _e.event_time,
    "log_time": _e.log_time,
    "index": _e.index,
    "version": _e.version,
}
_ACTIONS: Final = frozenset(AuditAction.keys())
_COMPARE: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    ":": lambda a, b: a == b,
}


def _given(name: str, column: Any) -> Any:
    """The column equals the parameter, where one is given."""
    wanted = sa.bindparam(name, type_=column.type)
    return sa.or_(wanted.is_(None), column == wanted)


def matching(filter_text: str = "") -> list[Any]:
    """The conditions of a request; `parameters` gives the values, the filter brings its own."""
    actor = sa.bindparam("actor", type_=sa.Text)
    resource = sa.bindparam("resource", type_=sa.Text)
    tree = parse(filter_text)
    return [
        _e.kind == "event",
        sa.or_(sa.bindparam("all", type_=sa.Boolean), _e.identity == sa.bindparam("me")),
        sa.or_(resource.is_(None), _e.subject == resource, resource == sa.any_(_e.targets)),
        sa.or_(actor.is_(None), _e.person == actor, _e.agent == actor, _e.service == actor),
        _given("identity_id", _e.identity),
        _given("sphere", _e.sphere),
        _given("action", _e.action),
        _given("stream", _e.stream),
        _given("request_id", _e.request_id),
        sa.or_(~sa.bindparam("violations", type_=sa.Boolean), VIOLATION),
        *([] if tree is None else [_condition(tree)]),
    ]


def parameters(request: Any, everything: bool, caller: Caller) -> dict[str, Any]:
    """The values for `matching`, from a request with the filters of ListEntries."""
    return {
        "all": everything,
        "me": caller.identity,
        "resource": request.resource or None,
        "actor": request.actor or None,
        "identity_id": request.identity_id or None,
        "sphere": request.sphere or None,
        "action": request.action or None,
        "stream": request.stream or None,
        "request_id": request.request_id or None,
        "violations": request.violations,
    }


def _condition(node: Node) -> Any:
    match node:
        case Not(inner):
            return ~_condition(inner)
        case All(inner):
            return sa.and_(*(_condition(one) for one in inner))
        case Some(inner):
            return sa.or_(*(_condition(one) for one in inner))
        case Term():
            return _term(node)


def _term(term: Term) -> Any:
    if term.field in ("", "text"):
        return _holds(sa.func.convert_from(_e.leaf, "UTF8"), term.value)
    if term.field in _TEXTS:
        return _text(_TEXTS[term.field], term)
    if term.field in _ORDERED:
        return _COMPARE[term.comparator](_ORDERED[term.field], _ordered(term))
    if term.field not in _EQUALS:
        raise InvalidFilter(f"there is no field {term.field[:40]!r}", position=term.field[:40])
    if term.comparator not in ("=", "!=", ":"):
        raise InvalidFilter(f"{term.field!r} has no order", position=term.field)
    found = _EQUALS[term.field](term.value)
    return ~found if term.comparator == "!=" else found


def _resource(value: str) -> Any:
    return sa.or_(_e.subject == value, sa.literal(value) == sa.any_(_e.targets))


def _identity(value: str) -> Any:
    if not UUID.fullmatch(value):
        raise InvalidFilter("an identity is a UUID", position="identity")
    return _e.identity.is_not_distinct_from(value)


def _violation(value: str) -> Any:
    if value not in ("true", "false"):
        raise InvalidFilter("violation is true or false", position="violation")
    return VIOLATION if value == "true" else ~VIOLATION


def _action(value: str) -> Any:
    name = "AUDIT_ACTION_" + value.upper().replace(".", "_").removeprefix("AUDIT_ACTION_")
    if name not in _ACTIONS:
        raise InvalidFilter(f"there is no action {value[:40]!r}", position="action")
    return _e.action == AuditAction.Value(name)


_EQUALS: Final[Mapping[str, Callable[[str], Any]]] = {
    "resource": _resource,
    "identity": _identity,
    "violation": _violation,
    "action": _action,
}


def _text(columns: tuple[Any, ...], term: Term) -> Any:
    if term.comparator == ":":
        one = [
            column != "" if term.value == "*" else _holds(column, term.value) for column in columns
        ]
        return sa.or_(*one)
    if term.comparator == "=":
        return sa.or_(*(column == term.value for column in columns))
    if term.comparator == "!=":
        return sa.and_(*(column != term.value for column in columns))
    raise InvalidFilter(f"{term.field!r} has no order", position=term.field)


def _holds(column: Any, value: str) -> Any:
    return sa.func.strpos(sa.func.lower(column), value.lower()) > 0


def _ordered(term: Term) -> Any:
    if term.field in ("index", "version"):
        if term.value.isdecimal() and len(term.value) < 19:
            return int(term.value)
        raise InvalidFilter(f"{term.field} is a number", position=term.field)
    try:
        moment = datetime.fromisoformat(term.value)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidFilter(f"{term.field} is like 2026-11-22T00:00:00Z", position=term.field)
