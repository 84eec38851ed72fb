"""A person's messages are found without reading everybody's: an erasure asks for them."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute("CREATE INDEX messages_by_identity ON threads.messages (identity)")


def downgrade() -> None:
    op.execute("DROP INDEX threads.messages_by_identity")
