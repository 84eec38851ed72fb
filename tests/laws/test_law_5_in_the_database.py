"""Law 5 in the database: row-level security as the only guard, over the whole catalogue."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from deploy.postgres.roles import LOGINS, SERVICES
from tests.laws.hands import Hands, act_for, person_of, refusal_of
from tests.laws.household import household
from tests.support.fleet import Client, Fleet
from tests.support.identity import Person
from tests.support.waiting import soon

# Tables without a policy: they hold nothing of anybody's.
WITHOUT_POLICY = {f"{service}.alembic_version" for service in SERVICES} | {
    "audit.log", "audit.tiles", "audit.tree_heads", "audit.sources", "audit.quarantine",
    "audit.cosignatures",
    "nova.workers",
}  # fmt: skip
OF_THE_TENANT = {"identity.tenants", "governance.freezes", "audit.holds", "audit.erasures",
    "governance.rule_revisions", "governance.rule_labels", "governance.counted",
    "governance.shadow_verdicts",
}  # fmt: skip
OWNED = """
    SELECT c.oid::regclass::text AS name, n.nspname AS service, c.relrowsecurity AS guarded,
        c.relforcerowsecurity AS forced,
        (SELECT array_agg(a.attname::text) FROM pg_attribute a WHERE a.attrelid = c.oid
            AND a.attname IN ('tenant', 'tenant_id', 'identity', 'identity_id', 'owner_identity',
                'user_id', 'person')) AS owned_by,
        has_any_column_privilege(n.nspname || '_app', c.oid, 'SELECT') AS readable
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname = ANY ($1::text[]) ORDER BY 1"""
UNSET = (asyncpg.UndefinedObjectError, asyncpg.InvalidTextRepresentationError)


async def tables(superuser: Any) -> list[Any]:
    found = await superuser.fetch(OWNED, list(SERVICES))
    return [t for t in found if t["owned_by"]]


async def readable(superuser: Any) -> dict[str, list[Any]]:
    """The tables that a service's own role may read, by service: each has one login."""
    found: dict[str, list[Any]] = {}
    for table in await tables(superuser):
        if table["readable"]:
            found.setdefault(table["service"], []).append(table)
    return found


async def test_every_table_of_every_service_forces_its_policies_on_everybody(
    superuser: Any,
) -> None:
    found = await superuser.fetch(OWNED, list(SERVICES))
    assert len(found) > 50
    open_ones = {t["name"] for t in found if not (t["guarded"] and t["forced"])}
    assert open_ones == WITHOUT_POLICY
    owned = {t["name"] for t in found if t["owned_by"]}
    assert not owned & WITHOUT_POLICY


async def test_nobody_sees_a_row_of_anybody_else_when_only_the_policies_stand_between(
    me: Client, stranger: Client, hands: Hands, superuser: Any
) -> None:
    """All tables that say whose a row is, read by the service's own role for another identity."""
    await household(me, hands)
    mine, other = person_of(me), person_of(stranger)
    logged = "SELECT count(*) FROM audit.entries WHERE identity = $1"
    await soon(lambda: superuser.fetchval(logged, mine.identity), "audit has heard of it")
    empty = set()
    ids = [mine.tenant, mine.person, mine.identity]
    for service, its in (await readable(superuser)).items():
        async with hands.login(f"{service}_app") as connection:
            for table in its:
                columns = " OR ".join(
                    f"{column}::text = ANY ($1::text[])" for column in sorted(table["owned_by"])
                )
                query = f"SELECT count(*) FROM {table['name']} WHERE {columns}"
                await act_for(connection, mine)
                if not await connection.fetchval(query, ids):
                    empty.add(table["name"])
                for who in (
                    other,
                    Person(),
                    Person(tenant=mine.tenant),
                    Person(identity=mine.identity),
                    Person(tenant=other.tenant, person=mine.person, identity=mine.identity),
                ):
                    await act_for(connection, who)
                    seen = await connection.fetchval(query, ids)
                    of_the_tenant = table["name"] in OF_THE_TENANT and who.tenant == mine.tenant
                    assert bool(seen) == of_the_tenant, (table["name"], who)
    # A policy that shows nobody anything would pass all of the above.
    assert empty == set()


async def test_what_one_identity_shares_another_of_the_same_person_reads_and_nobody_else(
    me: Client, stranger: Client, hands: Hands, superuser: Any
) -> None:
    """With the policies as the only guard: the thread and what it holds, to be read."""
    home = await household(me, hands)
    mine, other = person_of(me), person_of(stranger)
    reader = await superuser.fetchval(
        "SELECT identity::text FROM threads.participants WHERE thread_id = $1", home.thread
    )
    held = ("threads", "messages", "thread_events", "event_payloads", "participants")
    counted = [f"SELECT count(*) FROM threads.{table} WHERE thread_id = $1" for table in held]
    async with hands.login("threads_app", mine) as connection:
        whole = [await connection.fetchval(query, home.thread) for query in counted]
        assert all(whole)
        for who, sees in (
            (replace(mine, identity=reader), True),
            (replace(mine, identity=str(uuid4())), False),
            (replace(mine, tenant=other.tenant, identity=reader), False),
            # The right identity in the hands of somebody whose it is not.
            (replace(other, tenant=mine.tenant, identity=reader), False),
        ):
            await act_for(connection, who)
            seen = [await connection.fetchval(query, home.thread) for query in counted]
            assert seen == (whole if sees else [0] * len(held)), who
            changed = await connection.execute(
                "UPDATE threads.threads SET title = 'x' WHERE thread_id = $1", home.thread
            )
            assert changed == "UPDATE 0"


async def test_a_query_with_no_identity_set_is_an_error_in_every_table(
    hands: Hands, superuser: Any
) -> None:
    for service, its in (await readable(superuser)).items():
        queries = [f"SELECT count(*) FROM {table['name']}" for table in its]
        async with hands.login(f"{service}_app") as connection:
            for query in queries:
                assert isinstance(await refusal_of(connection, query), UNSET), query
            # Once it was set and is empty again, as in a connection that was used before.
            for setting in ("tenant", "person", "identity"):
                await connection.execute("SELECT set_config($1, '', true)", f"chenu.{setting}")
            for query in queries:
                assert isinstance(await refusal_of(connection, query), UNSET), query


async def test_no_role_reaches_anything_of_another_service(superuser: Any) -> None:
    reaching = await superuser.fetch(
        """
        WITH roles AS (SELECT oid, rolname FROM pg_roles WHERE rolname = ANY ($1::text[])),
        schemas AS (SELECT oid, nspname FROM pg_namespace WHERE nspname = ANY ($2::text[])),
        pairs AS (SELECT r.rolname, s.oid AS schema, s.nspname FROM roles r CROSS JOIN schemas s
            WHERE r.rolname !~ ('^' || s.nspname || '_'))
        SELECT rolname, 'schema ' || nspname AS what FROM pairs
            WHERE has_schema_privilege(rolname, nspname, 'USAGE, CREATE')
        UNION ALL SELECT rolname, c.oid::regclass::text FROM pairs
            JOIN pg_class c ON c.relnamespace = pairs.schema AND c.relkind IN ('r', 'p', 'v', 'm')
            WHERE has_any_column_privilege(rolname, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
            OR has_table_privilege(rolname, c.oid, 'DELETE, TRUNCATE, TRIGGER')
        UNION ALL SELECT rolname, c.oid::regclass::text FROM pairs
            JOIN pg_class c ON c.relnamespace = pairs.schema AND c.relkind = 'S'
            WHERE has_sequence_privilege(rolname, c.oid, 'USAGE, SELECT, UPDATE')
        UNION ALL SELECT rolname, p.oid::regprocedure::text FROM pairs
            JOIN pg_proc p ON p.pronamespace = pairs.schema
            WHERE has_function_privilege(rolname, p.oid, 'EXECUTE')""",
        list(LOGINS),
        list(SERVICES),
    )
    assert reaching == []


async def test_no_login_owns_inherits_or_makes_anything_or_goes_round_the_policies(
    superuser: Any,
) -> None:
    for sql in (
        """SELECT rolname, objid FROM pg_shdepend JOIN pg_roles ON pg_roles.oid = refobjid
            WHERE deptype = 'o' AND rolname = ANY ($1::text[])""",
        """SELECT m.rolname FROM pg_auth_members JOIN pg_roles m ON m.oid = member
            WHERE m.rolname = ANY ($1::text[])""",
        """SELECT rolname FROM pg_roles WHERE rolname = ANY ($1::text[]) AND (rolsuper
            OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)""",
        """SELECT rolname, nspname FROM pg_roles CROSS JOIN pg_namespace WHERE
            rolname = ANY ($1::text[]) AND has_schema_privilege(rolname, nspname, 'CREATE')""",
        """SELECT rolname FROM pg_roles WHERE rolname = ANY ($1::text[])
            AND has_database_privilege(rolname, current_database(), 'CREATE, TEMPORARY')""",
    ):
        assert await superuser.fetch(sql, list(LOGINS)) == [], sql


async def test_what_runs_with_its_owners_rights_cannot_be_led_astray(superuser: Any) -> None:
    """Functions that act as their owner: not for everybody, and with a search path of their own."""
    functions = await superuser.fetch(
        """SELECT p.oid::regprocedure::text AS name, pg_get_userbyid(proowner) AS owner,
            nspname || '_owner' AS wanted, array_to_string(proconfig, ' ') AS config,
            coalesce((SELECT bool_or(grantee = 0) FROM aclexplode(coalesce(proacl,
                acldefault('f', proowner)))), false) AS for_everybody, prosecdef AS as_owner
        FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
        WHERE nspname = ANY ($1::text[])""",
        list(SERVICES),
    )
    assert sum(f["as_owner"] for f in functions) > 5
    for function in functions:
        assert function["owner"] == function["wanted"], function["name"]
        assert not function["for_everybody"], function["name"]
        if function["as_owner"]:
            assert "search_path=" in (function["config"] or ""), function["name"]


async def test_one_identity_cannot_write_in_the_name_of_another(
    fleet: Fleet, me: Client, stranger: Client, hands: Hands, superuser: Any
) -> None:
    """Each of my rows, written once more by the service's role in a stranger's transaction."""
    await household(me, hands)
    tried = 0
    for table in await tables(superuser):
        name, role = table["name"], f"{table['service']}_app"
        insertable = await superuser.fetchval(
            "SELECT has_table_privilege($1, $2, 'INSERT')", role, name
        )
        key = "owner_identity" if "owner_identity" in table["owned_by"] else "identity"
        if not insertable or key not in table["owned_by"]:
            continue
        columns = await superuser.fetch(
            """SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0
            AND NOT attisdropped AND attgenerated = '' AND attidentity = ''""",
            name,
        )
        listed = ", ".join(row["attname"] for row in columns)
        row = await superuser.fetchrow(
            f"SELECT {listed} FROM {name} WHERE {key}::text = $1 LIMIT 1", me.identity_id
        )
        if row is None:
            continue
        tried += 1
        places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
        async with hands.login(role, person_of(stranger)) as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"INSERT INTO {name} ({listed}) VALUES ({places})", *row)
    assert tried > 8
