"""What a vote and an execution rest on, as it was signed, and the public keys that signed it.

Tokens and permits are spent once they are here: each was good for one use. Their keys are kept
with them, since keys rotate and evidence stays.
"""

from alembic import op

revision = "0014"
down_revision = "0013"

COLUMNS = {"votes": ("token", "token_key"), "executions": ("permit", "permit_key")}


def upgrade() -> None:
    for table, columns in COLUMNS.items():
        for column in columns:
            op.execute(
                f"ALTER TABLE governance.{table} ADD COLUMN {column} text NOT NULL DEFAULT ''"
            )


def downgrade() -> None:
    for table, columns in COLUMNS.items():
        for column in columns:
            op.execute(f"ALTER TABLE governance.{table} DROP COLUMN {column}")
