"""What witnesses have signed: which tree head each one saw, and when."""

from alembic import op

from kernel.migration.helpers import append_only, grant

revision = "0003"
down_revision = "0002"

TABLE = """CREATE TABLE audit.cosignatures (
    size bigint,
    witness text,
    line text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (witness, size)
)"""


def upgrade() -> None:
    op.execute(TABLE)
    op.execute("CREATE INDEX cosignatures_by_size ON audit.cosignatures (size)")
    op.execute("COMMENT ON COLUMN audit.cosignatures.witness IS 'its verifier key'")
    op.execute("COMMENT ON COLUMN audit.cosignatures.line IS 'its line of the signed note'")
    grant("cosignatures", worker="SELECT, INSERT")
    append_only("cosignatures")


def downgrade() -> None:
    op.execute("DROP TABLE audit.cosignatures")
