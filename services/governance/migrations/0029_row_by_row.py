"""Whether a row is of a checkpoint that one sees is asked for that row, not for all of a tenant's.

Row-level security has the planner think that a tenant has few checkpoints, so it would read them
all at once rather than search for one; `OFFSET 0` forbids that. Whoever stands for nobody else, and
whatever is of one's own identity, needs no such question.
"""

from collections.abc import Iterator
from importlib import import_module

from alembic import op

from kernel.migration.helpers import IDENTITY, PERSON, TENANT

revision = "0029"
down_revision = "0028"

_OTHERS = (
    f"tenant = {TENANT} AND identity <> {IDENTITY}"
    " AND (SELECT coalesce(current_setting('chenu.voters', true), '')) <> ''"
)


def _policies(others: str, end: str) -> Iterator[tuple[str, str, str, str]]:
    """Table, policy, command, expression; `others` is who asks about rows of other identities."""

    def of(table: str, key: str = "checkpoint_id", seen: str = "checkpoints") -> str:
        row = f"s.{key} = {table}.{key} AND s.identity = {table}.identity"
        return f"EXISTS (SELECT FROM governance.{seen} AS s WHERE {row}{end})"

    for table in ("decisions", "actions", "executions"):
        yield table, "app_voter", "SELECT", f"{others} AND {of(table, 'decision_id')}"
    for table, name, command in (
        ("views", "app_voter", "SELECT"),
        ("views", "app_reason", "UPDATE"),
        ("votes", "app_voter", "SELECT"),
        ("resolutions", "app_vote", "INSERT"),
    ):
        yield table, name, command, f"{others} AND {of(table)}"
    yield "votes", "app_vote", "INSERT", f"person = {PERSON} AND {others} AND {of('votes')}"
    for name, command in (("app_select", "SELECT"), ("app_insert", "INSERT")):
        yield "comments", name, command, f"{others} AND {of('comments', 'vote_id', 'votes')}"
    own = f"person = {PERSON} AND "
    for table, name, whose in (
        ("edits", "app_edit", own),
        ("edited_views", "app_edit", ""),
        ("remarks", "app_remark", own),
    ):
        seen = f"tenant = {TENANT} AND {of(table)}"
        yield table, "app_read", "SELECT", seen
        yield table, name, "INSERT", f"{whose}{seen}"


def _alter(others: str, end: str) -> None:
    for table, name, command, expression in _policies(others, end):
        using = "" if command == "INSERT" else f" USING ({expression})"
        check = "" if command == "SELECT" else f" WITH CHECK ({expression})"
        op.execute(f"ALTER POLICY {name} ON governance.{table}{using}{check}")


def upgrade() -> None:
    _alter(_OTHERS, " OFFSET 0")


def downgrade() -> None:
    _alter(import_module("services.governance.migrations.0006_voters").IS_VOTER, "")
