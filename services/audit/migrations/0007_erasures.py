"""Erasures under way: which services have still to forget whom."""

from alembic import op

from kernel.migration.helpers import TENANT, append_only, enable_rls, grant

revision = "0007"
down_revision = "0006"

TABLES = (
    """CREATE TABLE audit.erasures (
    erasure_id uuid PRIMARY KEY DEFAULT uuidv7(),
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    person uuid NOT NULL,
    rule text NOT NULL,
    records bigint NOT NULL,
    identities uuid[],
    remaining text[] NOT NULL,
    again_time timestamptz,
    start_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    finish_time timestamptz,
    outcome text NOT NULL DEFAULT ''
)""",
    "COMMENT ON COLUMN audit.erasures.identity IS 'who asked for it'",
    "COMMENT ON COLUMN audit.erasures.identities IS 'of the person; null until identity was asked'",
    "COMMENT ON COLUMN audit.erasures.remaining IS 'services that have not answered yet'",
    "COMMENT ON COLUMN audit.erasures.again_time IS 'once more then; null once that began'",
    """CREATE UNIQUE INDEX erasures_going_on ON audit.erasures (tenant, person)
    WHERE finish_time IS NULL""",
    """CREATE INDEX erasures_due ON audit.erasures (erasure_id)
    WHERE remaining <> '{}' OR again_time IS NOT NULL""",
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
    grant("erasures", app="SELECT, INSERT")
    grant(
        "erasures",
        worker="SELECT, UPDATE (identities, remaining, again_time, finish_time, outcome)",
    )
    enable_rls("erasures", app=f"tenant = {TENANT}", worker="true")
    append_only("erasures", forbid="DELETE OR TRUNCATE")


def downgrade() -> None:
    op.execute("DROP TABLE audit.erasures")
