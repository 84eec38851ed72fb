"""What migration scripts say about rights; everything in the service's own schema.

    create_outbox()
    create_requests()
    op.create_table("threads", ..., schema="threads")
    grant("threads", app="SELECT, INSERT, UPDATE (title, etag)")
    enable_rls("threads", app=f"identity = {IDENTITY} AND tenant = {TENANT}", worker="true")
    append_only("thread_events")
    grouped_write("write_step")

A policy compares with the settings that `database.transaction(caller)` makes; in
a transaction without them (or with an empty one) these expressions raise, and
never just see nothing. Rights that are not granted here do not exist.
"""

from collections.abc import Iterable
from typing import Final

from alembic import op

TENANT: Final = "(SELECT current_setting('chenu.tenant')::uuid)"
PERSON: Final = "(SELECT current_setting('chenu.person')::uuid)"
IDENTITY: Final = "(SELECT current_setting('chenu.identity')::uuid)"


def schema() -> str:
    """The schema that is being migrated, which is the service's name."""
    return str(op.get_context().version_table_schema)


def grant(table: str, *, app: str = "", worker: str = "") -> None:
    """Grant privileges ("SELECT, UPDATE (title)") on a table."""
    for role, privileges in (("app", app), ("worker", worker)):
        if privileges:
            op.execute(f"GRANT {privileges} ON {schema()}.{table} TO {schema()}_{role}")


def grant_execute(function: str, *, app: bool = True, worker: bool = False) -> None:
    """Let the roles call a function, given with its argument types: "may_see(uuid)"."""
    for role, wanted in (("app", app), ("worker", worker)):
        if wanted:
            op.execute(f"GRANT EXECUTE ON FUNCTION {schema()}.{function} TO {schema()}_{role}")


def enable_rls(
    table: str, *, app: str = "", app_check: str = "", worker: str = "", owner: str = ""
) -> None:
    """Force row-level security; each role sees and writes what its expression grants.

    Without `app_check` what may be seen may be written. `owner` is for helper
    functions that run as the owner (SECURITY DEFINER), to whom the force applies too.
    """
    name = f"{schema()}.{table}"
    op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
    for role, using, check in (
        ("app", app, app_check or app),
        ("worker", worker, worker),
        ("owner", owner, owner),
    ):
        if using:
            policy(table, role, role=role, using=using, check=check)


def policy(
    table: str, name: str, *, role: str, command: str = "ALL", using: str = "", check: str = ""
) -> None:
    """One more policy, for a single command (SELECT, INSERT, UPDATE, DELETE)."""
    clauses = (f" USING ({using})" if using else "") + (f" WITH CHECK ({check})" if check else "")
    op.execute(
        f"CREATE POLICY {name} ON {schema()}.{table} FOR {command} TO {schema()}_{role}{clauses}"
    )


def append_only(table: str, *, forbid: str = "UPDATE OR DELETE OR TRUNCATE") -> None:
    """Refuse changes of what was written, to every role, even when triggers are switched off.

    Statement triggers, since those for rows miss TRUNCATE and touch no empty
    set; ALWAYS, since others rest in replica mode. Grants are the other half.
    """
    name = f"{schema()}.{table}"
    op.execute(
        f"CREATE OR REPLACE FUNCTION {schema()}.refuse_change() RETURNS trigger"
        " LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '% is append-only', TG_RELID::regclass"
        " USING ERRCODE = 'insufficient_privilege'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER append_only BEFORE {forbid} ON {name}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {schema()}.refuse_change()"
    )
    op.execute(f"ALTER TABLE {name} ENABLE ALWAYS TRIGGER append_only")


def create_outbox() -> None:
    """The tables of `kernel.outbox`, with the rights of writers, relay and receipts."""
    for statement in _OUTBOX.format(s=schema()).split(";\n"):
        op.execute(statement)
    grant("outbox", app="INSERT", worker="SELECT, INSERT, DELETE")
    grant("bundles", worker="SELECT, INSERT, DELETE, UPDATE (attempt, publish_time)")
    grant("relay_state", worker="SELECT, UPDATE")
    grant("receipts", worker="SELECT, INSERT, DELETE")
    enable_rls("outbox", worker="true")
    policy("outbox", "app", role="app", command="INSERT", check="true")
    for table in ("bundles", "relay_state", "receipts"):
        enable_rls(table, worker="true")
    append_only("outbox", forbid="UPDATE OR TRUNCATE")
    append_only("receipts", forbid="UPDATE OR TRUNCATE")
    append_only("bundles", forbid="TRUNCATE OR UPDATE OF number, manifest, seqs, create_time")


def drop_outbox() -> None:
    """Take back what create_outbox made."""
    for table in ("receipts", "relay_state", "bundles", "outbox"):
        op.execute(f"DROP TABLE {schema()}.{table}")


def keep_until_released() -> None:
    """Leave relay and receipts one way to delete: what audit has vouched for, or to move rows.

    What a receipt proves is checked where it is taken in: a database verifies no signature.
    """
    for statement in _DOORS.format(s=schema()).split(";;\n"):
        op.execute(statement)
    grant_execute("prune_outbox(double precision)", app=False, worker=True)
    grant_execute("rebase_outbox()", app=False, worker=True)
    for table in ("outbox", "bundles", "receipts"):
        op.execute(f"REVOKE DELETE ON {schema()}.{table} FROM {schema()}_worker")
        policy(table, "doors", role="owner", using="true", check="true")


def prune_the_oldest() -> None:
    """Have what was made before look at the oldest rows only, however many are kept."""
    op.execute(_DOORS.format(s=schema()).split(";;\n")[0])


def delete_at_will() -> None:
    """Take back what keep_until_released made."""
    for table in ("outbox", "bundles", "receipts"):
        op.execute(f"DROP POLICY doors ON {schema()}.{table}")
        grant(table, worker="DELETE")
    op.execute(f"DROP FUNCTION {schema()}.rebase_outbox()")
    op.execute(f"DROP FUNCTION {schema()}.prune_outbox(double precision)")


def create_requests() -> None:
    """The table of `kernel.idempotency`; each principal sees its own request ids."""
    op.execute(
        f"CREATE TABLE {schema()}.requests (tenant uuid NOT NULL, identity text NOT NULL,"
        " principal text NOT NULL, request_id uuid NOT NULL, digest bytea NOT NULL,"
        " resource text NOT NULL, create_time timestamptz NOT NULL DEFAULT clock_timestamp(),"
        " CONSTRAINT requests_pkey PRIMARY KEY (tenant, identity, principal, request_id))"
    )
    grant("requests", app="SELECT, INSERT, UPDATE (resource)")
    own = f"tenant = {TENANT} AND identity = (SELECT current_setting('chenu.identity'))"
    enable_rls("requests", app=own)


def create_eraser(tables: Iterable[str], *statements: str) -> None:
    """Make `erase_subject`, which `kernel.subject_servicer` calls to forget a person.

    The statements delete or empty rows of the tables, by `of_tenant`, `of_person` and
    `of_identities` (`:own` is short for what is of these identities), and find nothing to do when
    they run again. They act as the owner, to whom row-level security applies too.
    """
    counted = "GET DIAGNOSTICS touched = ROW_COUNT; gone := gone + touched;"
    own = "tenant = of_tenant AND identity = ANY (of_identities)"
    body = "\n".join(f"    {one.replace(':own', own)};\n    {counted}" for one in statements)
    op.execute(
        f"CREATE FUNCTION {schema()}.{_ERASER_NAMED} RETURNS bigint LANGUAGE plpgsql"
        f" SECURITY DEFINER SET search_path = {schema()}, pg_temp AS $$\n"
        f"DECLARE\n    gone bigint := 0;\n    touched bigint;\nBEGIN\n{body}\n"
        "    RETURN gone;\nEND $$"
    )
    op.execute(f"REVOKE ALL ON FUNCTION {schema()}.{_ERASER} FROM PUBLIC")
    grant_execute(_ERASER, app=False, worker=True)
    for table in tables:
        policy(table, "eraser", role="owner", using="true", check="true")


def drop_eraser(tables: Iterable[str]) -> None:
    """Take back what create_eraser made."""
    for table in tables:
        op.execute(f"DROP POLICY eraser ON {schema()}.{table}")
    op.execute(f"DROP FUNCTION {schema()}.{_ERASER}")


def grouped_write(function: str) -> None:
    """Make `<function>_group`, through which `kernel.grouped_write` calls `<function>(jsonb)`.

    `<function>` returns jsonb, and null when it touched no row: that is an error.
    """
    name = f"{schema()}.{function}"
    op.execute(_GROUP.format(name=name, s=schema()))
    grant_execute(
        f"{function}_group(text[], text[], text[], jsonb[], uuid[], text[], bigint[], bytea[])"
    )
    grant_execute(f"{function}(jsonb)")


_ERASER: Final = "erase_subject(uuid, uuid, uuid[])"
_ERASER_NAMED: Final = "erase_subject(of_tenant uuid, of_person uuid, of_identities uuid[])"
_GROUP: Final = """
CREATE FUNCTION {name}_group(
    tenants text[], persons text[], identities text[], payloads jsonb[],
    ids uuid[], streams text[], versions bigint[], events bytea[]
) RETURNS jsonb[] LANGUAGE plpgsql AS $$
DECLARE
    results jsonb[] := '{{}}';
    result jsonb;
BEGIN
    FOR i IN 1 .. cardinality(payloads) LOOP
        PERFORM set_config('chenu.tenant', tenants[i], true),
            set_config('chenu.person', persons[i], true),
            set_config('chenu.identity', identities[i], true);
        result := {name}(payloads[i]);
        IF result IS NULL THEN
            RAISE EXCEPTION 'item % of {name} touched no row', i USING ERRCODE = 'no_data_found';
        END IF;
        results := array_append(results, result);
    END LOOP;
    INSERT INTO {s}.outbox (id, stream, version, event)
        SELECT * FROM unnest(ids, streams, versions, events);
    RETURN results;
END $$"""

_DOORS: Final = """CREATE OR REPLACE FUNCTION {s}.prune_outbox(older_than double precision)
    RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = {s}, pg_temp AS $$
    WITH gone AS (
        DELETE FROM bundles WHERE number <= (SELECT max(number) FROM receipts)
        AND number IN (SELECT number FROM bundles ORDER BY number LIMIT 200)
        AND create_time < clock_timestamp() - make_interval(secs => older_than) RETURNING seqs
    ), forgotten AS (
        DELETE FROM receipts WHERE number < (SELECT max(number) FROM receipts)
        AND number IN (SELECT number FROM receipts ORDER BY number LIMIT 200)
        AND create_time < clock_timestamp() - make_interval(secs => older_than)
    )
    DELETE FROM outbox WHERE seq IN (SELECT unnest(seqs) FROM gone) $$;;
CREATE FUNCTION {s}.rebase_outbox() RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = {s}, pg_temp AS $$
    WITH moved AS (DELETE FROM outbox RETURNING seq, id, stream, version, event)
    INSERT INTO outbox (seq, id, stream, version, event) OVERRIDING SYSTEM VALUE
    SELECT * FROM moved $$"""

_OUTBOX: Final = """CREATE TABLE {s}.outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    id uuid NOT NULL,
    stream text NOT NULL,
    version bigint NOT NULL,
    event bytea NOT NULL,
    CONSTRAINT outbox_pkey PRIMARY KEY (seq));
CREATE INDEX outbox_xid_seq ON {s}.outbox (xid, seq);
CREATE INDEX outbox_stream_version ON {s}.outbox (stream, version) WHERE stream <> '';
CREATE TABLE {s}.bundles (
    number bigint NOT NULL,
    manifest bytea NOT NULL,
    seqs bigint[] NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempt integer NOT NULL DEFAULT 0,
    publish_time timestamptz,
    CONSTRAINT bundles_pkey PRIMARY KEY (number));
CREATE INDEX bundles_unpublished ON {s}.bundles (number) WHERE publish_time IS NULL;
CREATE TABLE {s}.relay_state (
    single boolean NOT NULL DEFAULT true,
    cluster text NOT NULL,
    generation bigint NOT NULL,
    number bigint NOT NULL,
    snapshot text NOT NULL,
    rebased boolean NOT NULL DEFAULT false,
    CONSTRAINT relay_state_pkey PRIMARY KEY (single),
    CONSTRAINT relay_state_single CHECK (single));
INSERT INTO {s}.relay_state (cluster, generation, number, snapshot) VALUES ('', 0, 0, '1:1:');
CREATE TABLE {s}.receipts (
    number bigint NOT NULL,
    tree_head text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT receipts_pkey PRIMARY KEY (number))"""
