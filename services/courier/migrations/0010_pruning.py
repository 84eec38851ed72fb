"""The outbox is pruned from its oldest rows on, without looking at all that is kept."""

from kernel.migration.helpers import prune_the_oldest

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    prune_the_oldest()


def downgrade() -> None:
    """It deletes the same rows."""
