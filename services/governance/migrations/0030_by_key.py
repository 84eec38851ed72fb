"""What belongs to a checkpoint is joined by its tenant too, so that it is found by its key.

Under row-level security the planner compares two ways to a checkpoint's decision: by its key, or
through all that the tenant has, which it thinks is little. Where the tenant is known from the
checkpoint the second one is gone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"

_FUNCTIONS = ("before_vote(jsonb)", "checkpoints_told(interval)")
_TABLES = (("decisions AS d", "d"), ("actions AS a", "a"), ("executions AS e", "e"))
_CHANGES = [
    (
        f"governance.{table} USING (decision_id)",
        f"governance.{table} ON {name}.tenant = c.tenant AND {name}.decision_id = c.decision_id",
    )
    for table, name in _TABLES
] + [
    (f"ON {name}.checkpoint_id = c.", f"ON {name}.tenant = c.tenant AND {name}.checkpoint_id = c.")
    for name in ("v", "x", "n")
]


def _replace(changes: list[tuple[str, str]]) -> None:
    for function in _FUNCTIONS:
        definition = sa.text("SELECT pg_get_functiondef(to_regprocedure(:name))")
        text = op.get_bind().scalar(definition, {"name": f"governance.{function}"})
        for before, after in changes:
            text = text.replace(before, after)
        op.execute(sa.text(text.replace(":", r"\:")))


def upgrade() -> None:
    _replace(_CHANGES)


def downgrade() -> None:
    _replace([(after, before) for before, after in _CHANGES])
