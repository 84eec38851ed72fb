"""What the service's database roles may do and see, whoever holds their connections."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest

from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.governance.v1.deputy_service_pb2 import AppointDeputyRequest, ListDeputiesRequest
from chenu.governance.v1.deputy_service_pb2_grpc import DeputyServiceStub
from chenu.governance.v1.review_service_pb2 import CommentCheckpointRequest
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from chenu.governance.v1.tombstone_service_pb2 import LiftTombstoneRequest
from services.governance.tables import metadata
from tests.integration.governance.test_grants import granted
from tests.support.approvals import colleague
from tests.support.edits import edit, paying
from tests.support.governance_client import GovernanceClient, allowed
from tests.support.governance_roles import become
from tests.support.identity import Person
from tests.support.rules import a_counter, a_rule, put_in_shadow
from tests.support.waiting import soon

OWNED = ("decisions", "actions", "executions", "checkpoints", "views", "votes", "comments")


@pytest.mark.parametrize(
    "table",
    [
        "decisions",
        "votes",
        "actions",
        "comments",
        "views",
        "checkpoints",
        "executions",
        "deputies",
        "remarks",
        "edits",
        "edited_views",
    ],
)
@pytest.mark.parametrize("role", ["app", "worker"])
async def test_no_role_of_the_service_deletes_history(
    person: Person, app: Any, worker: Any, table: str, role: str
) -> None:
    connection = {"app": app, "worker": worker}[role]
    await become(connection, person)

    for sql in (f"DELETE FROM governance.{table}", f"TRUNCATE governance.{table} CASCADE"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(sql)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("decisions", "effect"),
        ("decisions", "facts"),
        ("actions", "action"),
        ("votes", "option"),
        ("comments", "comment"),
        ("views", "view"),
        ("checkpoints", "decision_id"),
        ("checkpoints", "executed"),
        ("executions", "state"),
        ("remarks", "remark"),
        ("edits", "action_digest"),
        ("edited_views", "action"),
        ("deputies", "end_time"),
        ("freeze", "epoch"),
    ],
)
async def test_what_was_decided_shown_or_voted_is_not_rewritten(
    person: Person, app: Any, table: str, column: str
) -> None:
    await become(app, person)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute(f"UPDATE governance.{table} SET {column} = {column}")


@pytest.mark.parametrize("table", ["decisions", "votes"])
async def test_not_even_the_owner_of_the_tables_rewrites_history_by_accident(
    superuser: Any, table: str
) -> None:
    await superuser.execute("SET ROLE governance_owner")
    for replica in ("origin", "replica"):
        await superuser.execute("RESET ROLE")
        await superuser.execute(f"SET session_replication_role = {replica}")
        await superuser.execute("SET ROLE governance_owner")
        for sql in (
            f"UPDATE governance.{table} SET tenant = tenant",
            f"DELETE FROM governance.{table}",
            f"TRUNCATE governance.{table} CASCADE",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                await superuser.execute(sql)


async def test_row_level_security_alone_keeps_identities_apart(
    client: GovernanceClient, person: Person, app: Any
) -> None:
    request, blocked = await client.blocked(person)
    await client.approve(person, blocked, comment="yes")
    (verdict,) = await client.ask(person, request)
    await client.report(verdict, ExecutionState.EXECUTION_STATE_SUCCEEDED)

    async def seen() -> dict[str, int]:
        return {
            table: await app.fetchval(f"SELECT count(*) FROM governance.{table}") for table in OWNED
        }

    await become(app, person)
    assert await seen() == dict.fromkeys(OWNED, 1)
    for stranger in (
        Person(),
        Person(tenant=person.tenant),
        Person(tenant=person.tenant, person=person.person),
        Person(identity=person.identity),
    ):
        await become(app, stranger)
        assert await seen() == dict.fromkeys(OWNED, 0)


async def test_without_an_identity_nothing_is_answered_at_all(app: Any) -> None:
    for table in OWNED:
        with pytest.raises(asyncpg.UndefinedObjectError):
            await app.fetch(f"SELECT * FROM governance.{table}")
    # And once it was set and is empty again, as in a connection that was used before.
    for name in ("tenant", "person", "identity"):
        await app.execute("SELECT set_config($1, '', false)", f"chenu.{name}")
    for table in OWNED:
        with pytest.raises(asyncpg.InvalidTextRepresentationError):
            await app.fetch(f"SELECT * FROM governance.{table}")
    with pytest.raises(asyncpg.InvalidTextRepresentationError):
        await app.fetchval("SELECT governance.authorize($1)", json.dumps({"items": []}))


@pytest.mark.parametrize("table", ["actions", "views", "votes", "comments", "remarks"])
async def test_the_worker_reads_no_content(worker: Any, table: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await worker.fetch(f"SELECT * FROM governance.{table}")


async def test_what_each_role_is_granted_it_also_sees(
    client: GovernanceClient,
    person: Person,
    app: Any,
    worker: Any,
    channel: grpc.aio.Channel,
) -> None:
    """A missing policy would show as zero rows, and nobody would notice."""
    request, blocked = await client.blocked(person)
    await ReviewServiceStub(channel).CommentCheckpoint(
        CommentCheckpointRequest(checkpoint_id=blocked.checkpoint_id, text="why?"),
        metadata=client.identity.as_human(person),
    )
    colleague(client.identity, person, "finance")
    _, payment = await paying(client, person)
    await edit(client, ReviewServiceStub(channel), person, payment, {"amount": 1})
    deputy = AppointDeputyRequest(deputy_person_id=str(uuid4()), request_id=str(uuid4()))
    deputy.end_time.FromDatetime(datetime.now(UTC) + timedelta(days=1))
    stub, me = DeputyServiceStub(channel), client.identity.as_human(person)
    appointed = await stub.AppointDeputy(deputy, metadata=me)
    await client.approve(person, appointed.verdict.checkpoint)

    async def listed() -> bool:
        return bool((await stub.ListDeputies(ListDeputiesRequest(), metadata=me)).deputies)

    await soon(listed, "the deputy is appointed")
    await client.approve(person, blocked, comment="yes")
    (verdict,) = await client.ask(person, request)
    await client.report(verdict, ExecutionState.EXECUTION_STATE_SUCCEEDED)
    counter, rule = a_counter("all"), a_rule("no_search", "deny", kinds=["ACTION_KIND_SEARCH"])
    await put_in_shadow(client, person, counter, rule)
    await client.ask(person, allowed(person))
    await client.freeze(person, "TOOL", "no.such_tool")
    await granted(client, person)
    _, other = await client.blocked(person)
    await client.reject(person, other)
    await client.tombstones.LiftTombstone(
        LiftTombstoneRequest(checkpoint_id=other.checkpoint_id),
        metadata=client.identity.as_human(person),
    )
    await become(app, person)

    for connection, role in ((app, "governance_app"), (worker, "governance_worker")):
        for table in metadata.tables.values():
            may = await connection.fetchval(
                "SELECT has_table_privilege($1, $2, 'SELECT')", role, f"governance.{table.name}"
            )
            if may and table.name not in {"bundles", "receipts", "requests"}:
                count = await connection.fetchval(f"SELECT count(*) FROM governance.{table.name}")
                assert count > 0, (role, table.name)


async def test_every_table_forces_row_level_security_on_everybody(
    superuser: Any, service: Any
) -> None:
    rows = await superuser.fetch(
        "SELECT relname, relrowsecurity AND relforcerowsecurity AS forced FROM pg_class"
        " WHERE relnamespace = 'governance'::regnamespace AND relkind = 'r'"
    )

    assert {row["relname"] for row in rows if not row["forced"]} == {"alembic_version"}
    assert {table.name for table in metadata.tables.values()} < {row["relname"] for row in rows}
