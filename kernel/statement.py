"""SQL that is compiled once: a SQLAlchemy construct, or text with :named parameters.

    GET = Statement(select(threads).where(threads.c.id == bindparam("id")))
    row = await tx.fetch_one(GET, id=thread_id)

Lists go as arrays: `column == any_(bindparam("ids", type_=ARRAY(Uuid)))`. In text a type is
given by CAST(:ids AS uuid[]), since `:ids::uuid[]` would be read as no parameter.
"""

from typing import Any, Final

from sqlalchemy import TextClause, text
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.sql.expression import ClauseElement

_DIALECT: Final = PGDialect_asyncpg()  # type: ignore[no-untyped-call]


class Statement:
    """One statement and the order of its parameters; compiled when first used."""

    def __init__(self, construct: ClauseElement | str) -> None:
        self._construct = text(construct) if isinstance(construct, str) else construct
        self._sql = ""
        self._order: tuple[str, ...] = ()
        self._given: dict[str, Any] = {}
        self._required: frozenset[str] = frozenset()

    def bind(self, parameters: dict[str, Any]) -> tuple[str, list[Any]]:
        """SQL and positional arguments; TypeError for a missing or an unknown parameter."""
        if not self._sql:
            self._compile()
        if not parameters.keys() <= self._given.keys() or not self._required <= parameters.keys():
            wrong = (parameters.keys() - self._given.keys()) | (self._required - parameters.keys())
            raise TypeError(f"parameters {sorted(wrong)} do not fit the statement")
        values = {**self._given, **parameters}
        return self._sql, [values[name] for name in self._order]

    def _compile(self) -> None:
        compiled: Any = self._construct.compile(dialect=_DIALECT)
        if not isinstance(self._construct, TextClause) and (
            compiled.insert_prefetch or compiled.update_prefetch
        ):
            raise TypeError("a column default in Python is not run; use server_default")
        self._order = tuple(compiled.positiontup or ())
        self._given = dict(compiled.params)
        self._required = frozenset(
            name for name, bind in compiled.binds.items() if bind.required and bind.value is None
        )
        self._sql = str(compiled)
