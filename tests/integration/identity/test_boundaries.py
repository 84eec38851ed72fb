"""The laws in the database: what the roles of this service see and may not do."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from chenu.identity.v1.agent_service_pb2 import FireAgentRequest
from chenu.identity.v1.auth_service_pb2 import LogoutRequest, RefreshSessionRequest
from chenu.identity.v1.channel_grant_pb2 import ChannelMethod
from chenu.identity.v1.channel_grant_service_pb2 import IssueChannelGrantRequest
from chenu.identity.v1.people_service_pb2 import InvitePersonRequest
from chenu.identity.v1.token_service_pb2 import ExchangeDelegationRequest
from kernel.caller import Caller
from kernel.database import Database
from kernel.statement import Statement
from tests.integration.identity.conftest import Identity, Someone
from tests.integration.identity.delegating import agent_of

PERSONS_TABLES = (
    "tenants",
    "users",
    "user_profiles",
    "credentials",
    "identities",
    "sessions",
    "refresh_tokens",
    "agents",
    "delegations",
    "invitations",
    "subject_keys",
    "channel_grants",
)
CLOSED_TABLES = ("service_keys", "spent_assertions", "attempts")
KERNELS_TABLES = ("outbox", "bundles", "relay_state", "receipts", "requests")
FORBIDDEN = asyncpg.InsufficientPrivilegeError


@pytest.fixture
async def app(urls: Any) -> AsyncIterator[Database]:
    database = await Database.connect(urls.app, schema="identity", pool_size=1)
    yield database
    await database.close()


@pytest.fixture
async def plain(urls: Any) -> AsyncIterator[Any]:
    """A connection of the application's role, without the kernel around it."""
    connection = await asyncpg.connect(urls.app)
    yield connection
    await connection.close()


@pytest.fixture
async def full(identity: Identity, someone: Someone) -> Someone:
    """Somebody with a row in every table."""
    await agent_of(identity, someone)
    await identity.people.InvitePerson(
        InvitePersonRequest(session_secret=someone.login.session_secret), metadata=someone.metadata
    )
    await identity.tokens.ExchangeDelegation(ExchangeDelegationRequest(), metadata=someone.metadata)
    await identity.grants.IssueChannelGrant(
        IssueChannelGrantRequest(
            session_secret=someone.login.session_secret,
            channel_id=str(uuid4()),
            method=ChannelMethod.CHANNEL_METHOD_MAIL,
        )
    )
    return someone


def caller(who: Someone, **changes: str) -> Caller:
    own = {"tenant": who.tenant, "person": who.user, "identity": who.identity}
    ids: dict[str, Any] = own | changes
    return Caller(**ids, actor="human")


async def rows(app: Database, who: Caller, table: str) -> int:
    async with app.transaction(who) as tx:
        return len(await tx.fetch(Statement(f"TABLE {table}")))


async def test_every_table_is_known_to_these_tests_and_stands_behind_forced_policies(
    admin: Any,
) -> None:
    tables = await admin.fetch(
        "SELECT relname, relrowsecurity AND relforcerowsecurity AS forced FROM pg_class"
        " WHERE relnamespace = 'identity'::regnamespace AND relkind = 'r'"
        " AND relname <> 'alembic_version'"
    )
    known = {*PERSONS_TABLES, *CLOSED_TABLES, *KERNELS_TABLES}
    assert {row["relname"] for row in tables} == known
    assert all(row["forced"] for row in tables)


@pytest.mark.parametrize("table", PERSONS_TABLES)
async def test_a_person_sees_their_own_rows_and_nobody_elses(
    identity: Identity, full: Someone, app: Database, table: str
) -> None:
    stranger = await identity.register()
    assert await rows(app, caller(full), table) >= 1
    made_later = ("agents", "delegations", "invitations", "channel_grants")
    assert await rows(app, caller(stranger), table) == (table not in made_later)
    nobody = caller(full, tenant=str(uuid4()), person=str(uuid4()), identity=str(uuid4()))
    assert await rows(app, nobody, table) == 0
    assert await rows(app, caller(full, tenant=stranger.tenant), table) == (table == "tenants")
    if table != "tenants":
        assert await rows(app, caller(full, person=stranger.user), table) == 0
    if table in ("agents", "delegations", "channel_grants"):
        assert await rows(app, caller(full, identity=str(uuid4())), table) == 0


@pytest.mark.parametrize("table", PERSONS_TABLES)
async def test_without_an_identity_every_table_errors_instead_of_seeming_empty(
    full: Someone, app: Database, plain: Any, table: str
) -> None:
    with pytest.raises(asyncpg.UndefinedObjectError, match="unrecognized configuration"):
        await plain.fetch(f"TABLE {table}")
    with pytest.raises(asyncpg.InvalidTextRepresentationError, match="uuid"):
        await rows(app, Caller.system(tenant=""), table)


@pytest.mark.parametrize("table", CLOSED_TABLES)
async def test_what_belongs_to_no_person_is_reached_through_functions_only(
    plain: Any, table: str
) -> None:
    with pytest.raises(FORBIDDEN):
        await plain.fetch(f"TABLE {table}")


async def test_nobody_writes_rows_for_another_person(
    identity: Identity, full: Someone, app: Database
) -> None:
    stranger = await identity.register()
    insert = Statement(
        "INSERT INTO agents (agent_id, tenant_id, user_id, identity_id, display_name, secret_hash)"
        " VALUES (:agent, :tenant, :person, :identity, 'Mole', '')"
    )
    for other in (
        {"person": stranger.user},
        {"identity": stranger.identity},
        {"tenant": stranger.tenant},
    ):
        row = {"tenant": full.tenant, "person": full.user, "identity": full.identity} | other
        with pytest.raises(FORBIDDEN):
            async with app.transaction(caller(full)) as tx:
                await tx.execute(insert, agent=str(uuid4()), **row)


async def test_a_session_cannot_be_pointed_at_a_strangers_identity(
    identity: Identity, full: Someone, app: Database
) -> None:
    stranger = await identity.register()
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with app.transaction(caller(full)) as tx:
            await tx.execute(
                Statement("UPDATE sessions SET identity_id = :other"), other=stranger.identity
            )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tenants SET founder_id = uuidv7()",
        "UPDATE users SET roles = '{owner}'",
        "UPDATE users SET deactivate_time = NULL",
        "UPDATE user_profiles SET email_key = 'other@example.org'",
        "UPDATE sessions SET secret_hash = '', amr = '{hwk}'",
        "UPDATE sessions SET user_id = uuidv7()",
        "UPDATE agents SET secret_hash = ''",
        "UPDATE delegations SET deadline = 'infinity'",
        "UPDATE outbox SET event = ''",
        "DELETE FROM users",
        "DELETE FROM sessions",
        "DELETE FROM agents",
        "DELETE FROM delegations",
        "DELETE FROM refresh_tokens",
        "DELETE FROM credentials",
        "DELETE FROM outbox",
        "DELETE FROM attempts",
        "DELETE FROM spent_assertions",
        "INSERT INTO service_keys (kid, service, public_key) VALUES ('x', 'nova', '')",
        "TRUNCATE users CASCADE",
        "TRUNCATE outbox",
    ],
)
async def test_the_application_has_no_right_to(
    full: Someone, app: Database, statement: str
) -> None:
    with pytest.raises(FORBIDDEN):
        async with app.transaction(caller(full)) as tx:
            await tx.execute(Statement(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE identity.tenants SET founder_id = uuidv7()",
        "DELETE FROM identity.tenants",
        "TRUNCATE identity.tenants CASCADE",
        "UPDATE identity.delegations SET deadline = 'infinity'",
        "TRUNCATE identity.delegations",
        "UPDATE identity.spent_assertions SET expire_time = '-infinity'",
        "TRUNCATE identity.spent_assertions",
        "UPDATE identity.outbox SET event = ''",
    ],
)
async def test_not_even_the_superuser_changes_what_is_append_only(
    full: Someone, admin: Any, statement: str
) -> None:
    for role in ("origin", "replica"):
        await admin.execute(f"SET session_replication_role = {role}")
        with pytest.raises(FORBIDDEN, match="append-only"):
            await admin.execute(statement)
    await admin.execute("SET session_replication_role = origin")


async def test_what_is_over_stays_over(
    identity: Identity, full: Someone, app: Database, admin: Any
) -> None:
    agent, _ = await agent_of(identity, full)
    fire = FireAgentRequest(agent_id=agent)
    await identity.agents.FireAgent(fire, metadata=full.metadata)
    token = full.login.session.refresh_token
    await identity.auth.RefreshSession(RefreshSessionRequest(refresh_token=token))
    await identity.auth.Logout(LogoutRequest(), metadata=full.metadata)
    for statement in (
        "UPDATE sessions SET end_time = NULL, end_cause = NULL",
        "UPDATE sessions SET expire_time = 'infinity'",
        "UPDATE agents SET fire_time = NULL WHERE fire_time IS NOT NULL",
        "UPDATE refresh_tokens SET use_time = NULL WHERE use_time IS NOT NULL",
    ):
        with pytest.raises(FORBIDDEN, match="stays over"):
            async with app.transaction(caller(full)) as tx:
                await tx.execute(Statement(statement))


async def test_the_sweepers_role_sees_and_deletes_only_what_is_over(
    identity: Identity, full: Someone, urls: Any
) -> None:
    worker = await asyncpg.connect(urls.worker)
    try:
        for table in ("refresh_tokens", "delegations", "channel_grants"):
            assert await worker.execute(f"DELETE FROM {table}") == "DELETE 0"
        for table in (*PERSONS_TABLES, "attempts", "spent_assertions"):
            with pytest.raises(FORBIDDEN):
                await worker.fetch(f"TABLE {table}")
    finally:
        await worker.close()


async def test_the_doors_give_one_row_to_who_knows_the_secret_and_are_closed_to_the_worker(
    full: Someone, plain: Any, urls: Any
) -> None:
    assert await plain.fetch("SELECT * FROM find_login($1)", "%") == []
    assert await plain.fetch("SELECT * FROM find_session($1)", b"") == []
    worker = await asyncpg.connect(urls.worker)
    try:
        for call in (
            "find_login('')",
            "find_session('')",
            "find_refresh_token('')",
            "find_agent(uuidv7(), '')",
            "find_service_key('', '')",
            "spend_assertion('', '', now())",
            "check_voters(uuidv7(), uuidv7(), '{}', '{}', '{}')",
            "take_attempts('{}', '{}', '1 s', '0 s')",
            "give_back_attempts('{}')",
        ):
            with pytest.raises(FORBIDDEN):
                await worker.fetch(f"SELECT {call}")
    finally:
        await worker.close()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TEMP TABLE users (user_id uuid)",
        "CREATE TABLE identity.users2 (user_id uuid)",
        "CREATE FUNCTION identity.clock_timestamp() RETURNS timestamptz RETURN now()",
        "ALTER FUNCTION identity.find_login(text) SECURITY INVOKER",
        "ALTER TABLE identity.users DISABLE ROW LEVEL SECURITY",
        "DROP POLICY app ON identity.users",
        "SET ROLE identity_owner",
        "SET session_replication_role = replica",
    ],
)
async def test_the_application_makes_nothing_that_could_stand_before_a_door(
    full: Someone, plain: Any, statement: str
) -> None:
    with pytest.raises(FORBIDDEN):
        await plain.execute(statement)
