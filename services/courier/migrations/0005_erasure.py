"""A person is forgotten: where they are reached, and what others were told of their affairs."""

from alembic import op

from kernel.migration.helpers import create_eraser, drop_eraser

revision = "0005"
down_revision = "0004"

TABLES = ("channels", "notifications", "endpoints", "deliveries")


def upgrade() -> None:
    op.execute("ALTER TABLE courier.notifications ADD COLUMN about uuid")
    op.execute("COMMENT ON COLUMN courier.notifications.about IS 'whose checkpoint it tells of'")
    op.execute("CREATE INDEX notifications_about ON courier.notifications (about)")
    create_eraser(
        TABLES,
        "DELETE FROM notifications WHERE tenant = of_tenant AND about = ANY (of_identities)",
        "DELETE FROM channels WHERE tenant = of_tenant"
        " AND (identity = ANY (of_identities) OR person = of_person)",
        "DELETE FROM endpoints WHERE :own",
        "UPDATE deliveries SET comment = '' WHERE :own AND comment <> ''",
    )


def downgrade() -> None:
    drop_eraser(TABLES)
    op.execute("ALTER TABLE courier.notifications DROP COLUMN about")
