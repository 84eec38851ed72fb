"""Notes, history, outbox, request ids."""

from alembic import op

from kernel.migration.helpers import (
    IDENTITY,
    TENANT,
    append_only,
    create_outbox,
    create_requests,
    delete_at_will,
    drop_outbox,
    enable_rls,
    grant,
    grouped_write,
    keep_until_released,
)

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_outbox()
    keep_until_released()
    create_requests()
    op.execute(
        "CREATE TABLE sample.notes (id uuid PRIMARY KEY, tenant uuid NOT NULL,"
        " identity uuid NOT NULL, title text NOT NULL, facts jsonb NOT NULL DEFAULT '{}',"
        " tags text[] NOT NULL DEFAULT '{}')"
    )
    grant("notes", app="SELECT, INSERT, UPDATE (title)")
    enable_rls("notes", app=f"identity = {IDENTITY} AND tenant = {TENANT}")
    op.execute("CREATE TABLE sample.history (id bigint PRIMARY KEY, word text NOT NULL)")
    grant("history", app="SELECT, INSERT, UPDATE, DELETE, TRUNCATE")
    append_only("history")
    op.execute(
        """
        CREATE FUNCTION sample.write_note(note jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
        DECLARE
            seen bigint;
        BEGIN
            IF note ? 'rename' THEN
                UPDATE sample.notes SET title = note->>'title' WHERE id = (note->>'rename')::uuid;
                IF NOT FOUND THEN RETURN NULL; END IF;
            ELSE
                INSERT INTO sample.notes (id, tenant, identity, title) VALUES (
                    (note->>'id')::uuid, current_setting('chenu.tenant')::uuid,
                    coalesce(note->>'identity', current_setting('chenu.identity'))::uuid,
                    note->>'title');
            END IF;
            SELECT count(*) INTO seen FROM sample.notes;
            RETURN jsonb_build_object('title', note->>'title', 'seen', seen,
                'identity', current_setting('chenu.identity'));
        END $$
        """
    )
    grouped_write("write_note")


def downgrade() -> None:
    for argument in (
        "write_note_group(text[], text[], text[], jsonb[], uuid[], text[], bigint[], bytea[])",
        "write_note(jsonb)",
        "refuse_change() CASCADE",
    ):
        op.execute(f"DROP FUNCTION sample.{argument}")
    for table in ("history", "notes", "requests"):
        op.execute(f"DROP TABLE sample.{table}")
    delete_at_will()
    drop_outbox()
