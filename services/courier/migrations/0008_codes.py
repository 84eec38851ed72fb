"""How many codes were sent, to an address and by an identity, and how many were guessed wrongly.

Neither is named: a row holds a keyed digest, for an hour. They are counted for everybody together,
which no role may see: so a function does it.
"""

from alembic import op

from kernel.migration.helpers import enable_rls, grant, grant_execute

revision = "0008"
down_revision = "0007"

SENT = """CREATE TABLE courier.sent_codes (
    counted bytea NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp()
)"""
# The wait until another one may be sent; nothing where this one was taken. One after the other.
TAKE = """
CREATE FUNCTION courier.take_code(what bytea, most integer) RETURNS interval
LANGUAGE plpgsql SECURITY DEFINER SET search_path = courier, pg_temp AS $$
DECLARE
    hour_ago timestamptz := clock_timestamp() - interval '1 hour';
    sent timestamptz[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(encode(what, 'hex'), 0));
    DELETE FROM sent_codes WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM sent_codes WHERE create_time < hour_ago FOR UPDATE SKIP LOCKED));
    sent := ARRAY(SELECT create_time FROM sent_codes
        WHERE counted = what AND create_time >= hour_ago ORDER BY create_time DESC);
    IF cardinality(sent) >= most THEN
        RETURN sent[most] - hour_ago;
    END IF;
    INSERT INTO sent_codes (counted) VALUES (what);
    RETURN NULL;
END $$"""


def upgrade() -> None:
    op.execute(SENT)
    op.execute("CREATE INDEX sent_codes_counted ON courier.sent_codes (counted, create_time)")
    op.execute("CREATE INDEX sent_codes_by_time ON courier.sent_codes (create_time)")
    enable_rls("sent_codes", owner="true")
    op.execute(TAKE)
    op.execute("REVOKE ALL ON FUNCTION courier.take_code(bytea, integer) FROM PUBLIC")
    grant_execute("take_code(bytea, integer)")
    op.execute("ALTER TABLE courier.channels ADD COLUMN wrong_codes integer NOT NULL DEFAULT 0")
    grant("channels", app="UPDATE (wrong_codes)")


def downgrade() -> None:
    op.execute("ALTER TABLE courier.channels DROP COLUMN wrong_codes")
    op.execute("DROP FUNCTION courier.take_code(bytea, integer)")
    op.execute("DROP TABLE courier.sent_codes")
