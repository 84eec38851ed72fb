"""What an edit takes off is taken off; and what ends takes back all that it counted, edits too."""

from importlib import import_module

from alembic import op

revision = "0018"
down_revision = "0017"

UNCOUNT = """
CREATE OR REPLACE FUNCTION governance.uncount() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO governance.counted (tenant, decision_id, tally, amount, create_time)
    SELECT tenant, decision_id, tally, -sum(amount), create_time
    FROM governance.counted WHERE decision_id = NEW.decision_id
    GROUP BY tenant, decision_id, tally, create_time HAVING sum(amount) <> 0;
    RETURN NULL;
END $$"""


def upgrade() -> None:
    op.execute(UNCOUNT)


def downgrade() -> None:
    op.execute(import_module("services.governance.migrations.0010_rules").UNCOUNT)
