"""A run's context finds the threads that it names by title or id, not among all that one sees."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

# `OFFSET 0`: or the planner, to which few threads can be seen, reads them all to compare.
_CHANGES = (
    (
        "FROM words w JOIN threads.threads t ON t.folded_title = w.word",
        """FROM words w CROSS JOIN LATERAL (SELECT thread_id FROM threads.threads
                WHERE folded_title = w.word OFFSET 0) t""",
    ),
    (
        """        FROM threads.threads t
        WHERE thread_id IN (SELECT thread_id FROM exact
            UNION SELECT thread_id FROM part UNION SELECT thread_id FROM recent)""",
        """        FROM (SELECT thread_id FROM exact
            UNION SELECT thread_id FROM part UNION SELECT thread_id FROM recent) AS meant (id)
            CROSS JOIN LATERAL (SELECT * FROM threads.threads
                WHERE threads.thread_id = meant.id OFFSET 0) t""",
    ),
)


def _replace(changes: tuple[tuple[str, str], ...]) -> None:
    text = op.get_bind().scalar(sa.text("SELECT pg_get_functiondef('threads.context'::regproc)"))
    for before, after in changes:
        if before not in text:
            raise LookupError(before)
        text = text.replace(before, after)
    op.execute(sa.text(text.replace(":", r"\:")))


def upgrade() -> None:
    _replace(_CHANGES)


def downgrade() -> None:
    _replace(tuple((after, before) for before, after in _CHANGES))
