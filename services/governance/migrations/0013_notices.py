"""What courier tells people of checkpoints, kept until courier has taken it."""

from alembic import op

from kernel.migration.helpers import enable_rls, grant, policy

revision = "0013"
down_revision = "0012"

TABLE = """
CREATE TABLE governance.notices (
    notice_id uuid NOT NULL DEFAULT uuidv7() CONSTRAINT notices_pkey PRIMARY KEY,
    checkpoint_id uuid NOT NULL,
    tenant uuid NOT NULL,
    identity uuid NOT NULL,
    event text NOT NULL CONSTRAINT notices_event
        CHECK (event IN ('created', 'reminded', 'escalated', 'resolved')),
    version bigint NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT notices_once UNIQUE (checkpoint_id, version))"""

# By the row itself, so that no way of changing a checkpoint can forget it. As the owner, since
# whoever votes may stand for another identity than the checkpoint's.
NOTICE = """
CREATE FUNCTION governance.notice() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = governance, pg_temp AS $$
BEGIN
    INSERT INTO notices (checkpoint_id, tenant, identity, event, version)
    VALUES (NEW.checkpoint_id, NEW.tenant, NEW.identity, CASE
        WHEN NEW.state <> 'pending' THEN 'resolved'
        WHEN TG_OP = 'INSERT' THEN 'created'
        WHEN NEW.revision <> OLD.revision THEN 'created'
        WHEN NEW.escalated AND NOT OLD.escalated THEN 'escalated'
        ELSE 'reminded' END, NEW.version);
    RETURN NULL;
END $$"""
TRIGGERS = (
    """CREATE TRIGGER notice_made AFTER INSERT ON governance.checkpoints
    FOR EACH ROW EXECUTE FUNCTION governance.notice()""",
    """CREATE TRIGGER notice_changed AFTER UPDATE ON governance.checkpoints
    FOR EACH ROW WHEN ((NEW.state, NEW.revision, NEW.reminders, NEW.escalated)
        IS DISTINCT FROM (OLD.state, OLD.revision, OLD.reminders, OLD.escalated))
    EXECUTE FUNCTION governance.notice()""",
)


def upgrade() -> None:
    for statement in (TABLE, NOTICE, *TRIGGERS):
        op.execute(statement)
    for trigger in ("notice_made", "notice_changed"):
        op.execute(f"ALTER TABLE governance.checkpoints ENABLE ALWAYS TRIGGER {trigger}")
    op.execute("REVOKE ALL ON FUNCTION governance.notice() FROM PUBLIC")
    grant("notices", worker="SELECT, DELETE")
    enable_rls("notices", worker="true")
    policy("notices", "trigger", role="owner", command="INSERT", check="true")


def downgrade() -> None:
    op.execute("DROP TRIGGER notice_made ON governance.checkpoints")
    op.execute("DROP TRIGGER notice_changed ON governance.checkpoints")
    op.execute("DROP TABLE governance.notices")
    op.execute("DROP FUNCTION governance.notice")
