"""Confirmed channels, decisions that come from them, and messages that are edited later."""

from alembic import op

from kernel.migration.helpers import IDENTITY, TENANT, enable_rls, grant

revision = "0006"
down_revision = "0005"

OWN = f"tenant = {TENANT} AND identity = {IDENTITY}"
KINDS = "'webhook', 'email', 'slack'"
STATES = "'pending', 'delivered', 'failed'"
COLUMNS = (
    """ALTER TABLE courier.channels ADD COLUMN confirm_time timestamptz,
    ADD COLUMN decide_until timestamptz""",
    """ALTER TABLE courier.notifications ALTER COLUMN checkpoint_id DROP NOT NULL,
    ADD COLUMN reference text NOT NULL DEFAULT '',
    ADD COLUMN leased boolean NOT NULL DEFAULT false""",
    """CREATE INDEX notifications_of_checkpoint ON courier.notifications
    (checkpoint_id, channel_id)""",
)
INTERACTIONS = """CREATE TABLE courier.interactions (
    signature_digest bytea NOT NULL CONSTRAINT interactions_pkey PRIMARY KEY,
    channel_id uuid NOT NULL CONSTRAINT interactions_channel
        REFERENCES courier.channels ON DELETE CASCADE,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp()
)"""


def upgrade() -> None:
    for statement in (*COLUMNS, INTERACTIONS):
        op.execute(statement)
    check("channels", "kind", f"{KINDS}, 'slack_app'")
    check("notifications", "state", f"{STATES}, 'withdrawn'")
    grant(
        "channels",
        app="UPDATE (sealed, confirm_time, decide_until)",
        worker="SELECT (kind, confirm_time)",
    )
    grant("notifications", app="UPDATE (reference, leased)", worker="SELECT (checkpoint_id)")
    grant("interactions", app="SELECT, INSERT, DELETE")
    enable_rls("interactions", app=OWN)


def downgrade() -> None:
    op.execute("DROP TABLE courier.interactions")
    op.execute("DROP INDEX courier.notifications_of_checkpoint")
    op.execute("ALTER TABLE courier.notifications DROP COLUMN reference, DROP COLUMN leased")
    op.execute("ALTER TABLE courier.channels DROP COLUMN confirm_time, DROP COLUMN decide_until")
    # What the older code would not understand stays: rows are not thrown away.


def check(table: str, column: str, words: str) -> None:
    """Let a column hold these words."""
    name = f"{table}_{column}"
    op.execute(f"ALTER TABLE courier.{table} DROP CONSTRAINT {name}")
    op.execute(f"ALTER TABLE courier.{table} ADD CONSTRAINT {name} CHECK ({column} IN ({words}))")
