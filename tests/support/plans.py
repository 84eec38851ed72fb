"""How many rows PostgreSQL goes through for a statement, as its plans tell."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

_READ: Final = re.compile(
    r"Rows Removed by (?:Filter|Join Filter): (\d+)|actual time=\S+ rows=(\d+)"
)


@asynccontextmanager
async def telling_plans(superuser: Any, schema: str) -> AsyncIterator[None]:
    """A transaction that tells the plan of all that is asked in it; it is rolled back."""
    transaction = superuser.transaction()
    await transaction.start()
    try:
        await superuser.execute("SET LOCAL session_replication_role = replica")
        await superuser.execute("LOAD 'auto_explain'")
        for name, value in (
            ("auto_explain.log_min_duration", "0"),
            ("auto_explain.log_analyze", "on"),
            ("auto_explain.log_nested_statements", "on"),
            ("client_min_messages", "log"),
            # As small as it is here, a table would be read whole.
            ("enable_seqscan", "off"),
            ("search_path", schema),
        ):
            await superuser.execute(f"SET LOCAL {name} = '{value}'")
        yield
    finally:
        await transaction.rollback()


async def rows_read(
    superuser: Any, questions: Mapping[str, tuple[str, str, list[Any]]]
) -> dict[str, int]:
    """Of each question (role, statement, arguments) the rows of the largest step of its plan."""
    heard: list[str] = []

    def listen(_: Any, message: Any) -> None:
        heard.append(message.message)

    superuser.add_log_listener(listen)
    read = {}
    for what, (role, sql, arguments) in questions.items():
        heard.clear()
        await superuser.execute(f"SET LOCAL ROLE {role}")
        await superuser.fetch(sql, *arguments)
        await superuser.execute("RESET ROLE")
        # Not those by which the driver learns of types.
        plans = [plan for plan in heard if "pg_type" not in plan]
        read[what] = max(int(a or b) for plan in plans for a, b in _READ.findall(plan))
    superuser.remove_log_listener(listen)
    return read
