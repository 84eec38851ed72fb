"""A person is forgotten: what they wrote goes; that it was written, and its digest, stays."""

from importlib import import_module

from alembic import op

from kernel.migration.helpers import create_eraser, drop_eraser, policy

revision = "0009"
down_revision = "0008"

TABLES = ("messages", "event_payloads", "search_answers")
# What a thread was founded for never changes; but that it was, and when, is left alone.
REFUSE = """
CREATE OR REPLACE FUNCTION threads.refuse_refounding() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_user = 'threads_owner' AND NEW.founding_intent = ''
        AND (OLD.thread_id, OLD.tenant, OLD.owner_identity, OLD.founder, OLD.ownership,
             OLD.create_time)
            IS NOT DISTINCT FROM
            (NEW.thread_id, NEW.tenant, NEW.owner_identity, NEW.founder, NEW.ownership,
             NEW.create_time) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'what a thread was founded as never changes'
        USING ERRCODE = 'insufficient_privilege';
END $$"""


def upgrade() -> None:
    op.execute(REFUSE)
    create_eraser(
        TABLES,
        "DELETE FROM messages WHERE :own",
        "DELETE FROM event_payloads AS p USING thread_events AS e"
        " WHERE e.event_id = p.event_id AND e.tenant = of_tenant"
        " AND e.identity = ANY (of_identities)",
        "DELETE FROM search_answers WHERE :own",
        "UPDATE threads SET title = '', founding_intent = '', description = '', tags = '{}'"
        " WHERE tenant = of_tenant AND owner_identity = ANY (of_identities)"
        " AND (title, founding_intent, description, tags) <> ('', '', '', '{}')",
    )
    policy("thread_events", "eraser", role="owner", command="SELECT", using="true")


def downgrade() -> None:
    op.execute("DROP POLICY eraser ON threads.thread_events")
    drop_eraser(TABLES)
    op.execute(import_module("services.threads.migrations.0001_threads").REFUSE_REFOUNDING)
