"""Law 7 in the database: history is append-only, for every role, over the whole catalogue."""

from typing import Any

import asyncpg
import pytest

from deploy.postgres.roles import SERVICES
from tests.laws.hands import Hands, person_of, refusal_of
from tests.support.fleet import Client

ALL = {"UPDATE", "DELETE", "TRUNCATE"}
KEPT = {"UPDATE", "TRUNCATE"}  # rows go when their time is over, and never change
LASTING = {"DELETE", "TRUNCATE"}  # rows move on by their own rules, and never go
# The law, once more: a table that loses its guard is noticed here.
APPEND_ONLY: dict[str, set[str]] = {
    "identity.tenants": ALL,
    "identity.delegations": KEPT,
    "identity.spent_assertions": KEPT,
    "threads.thread_events": ALL,
    "governance.decisions": ALL,
    "governance.votes": ALL,
    "governance.lifted_tombstones": ALL,
    "governance.actions": KEPT,
    "governance.comments": KEPT,
    "governance.executions": LASTING,
    "governance.checkpoints": LASTING,
    "governance.freezes": LASTING,
    "governance.grants": LASTING,
    "governance.rule_revisions": ALL,
    "governance.built_in_rules": ALL,
    "governance.rule_labels": LASTING,
    "governance.counted": KEPT,
    "governance.shadow_verdicts": KEPT,
    "governance.views": {"TRUNCATE"},
    "governance.deputies": LASTING,
    "governance.remarks": KEPT,
    "governance.edits": ALL,
    "governance.edited_views": KEPT,
    "audit.entries": ALL,
    "audit.tree_heads": ALL,
    "audit.quarantine": ALL,
    "audit.cosignatures": ALL,
    "audit.prunings": ALL,
    "audit.erasures": LASTING,
    "audit.log": LASTING,
    "audit.tiles": LASTING,
    "nova.run_events": ALL,
    "courier.attempts": KEPT,
    "llm.ledger": ALL,
}
for _service in SERVICES:
    APPEND_ONLY[f"{_service}.outbox"] = KEPT
    APPEND_ONLY[f"{_service}.receipts"] = KEPT
    APPEND_ONLY[f"{_service}.bundles"] = KEPT  # but for the two columns that tell of publishing
BITS = {"DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}
FORBIDDEN = asyncpg.InsufficientPrivilegeError
each_table = pytest.mark.parametrize("table", sorted(APPEND_ONLY))


def statement(table: str, verb: str, column: str) -> str:
    return {
        "UPDATE": f"UPDATE {table} SET {column} = {column}",
        "DELETE": f"DELETE FROM {table}",
        "TRUNCATE": f"TRUNCATE {table} CASCADE",
    }[verb]


async def a_column(superuser: Any, table: str) -> str:
    """A column of the table that is part of its history."""
    if table.endswith(".bundles"):
        return "manifest"
    found: str = await superuser.fetchval(
        """SELECT attname::text FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0
        AND attgenerated = '' AND attidentity = '' ORDER BY attnum LIMIT 1""",
        table,
    )
    return found


async def test_every_table_of_history_has_its_guard_and_no_mode_switches_it_off(
    superuser: Any,
) -> None:
    triggers = await superuser.fetch(
        """SELECT tgrelid::regclass::text AS name, tgtype AS bits, tgenabled AS enabled
        FROM pg_trigger WHERE tgname = 'append_only' AND NOT tgisinternal"""
    )
    found = {t["name"]: {verb for verb, bit in BITS.items() if t["bits"] & bit} for t in triggers}
    assert found == APPEND_ONLY
    assert {t["enabled"] for t in triggers} == {b"A"}  # ALWAYS: in replica mode too
    assert not any(t["bits"] & 1 for t in triggers)  # for statements, so TRUNCATE too


@each_table
async def test_no_role_of_a_service_rewrites_its_history(
    me: Client, hands: Hands, superuser: Any, table: str
) -> None:
    service = table.partition(".")[0]
    column = await a_column(superuser, table)
    attempts = [statement(table, verb, column) for verb in sorted(APPEND_ONLY[table])]
    attempts += [
        f"ALTER TABLE {table} DISABLE TRIGGER ALL",
        f"DROP TRIGGER append_only ON {table}",
        f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
        f"DROP TABLE {table} CASCADE",
        "SET session_replication_role = replica",
        f"SET ROLE {service}_owner",
    ]
    for role in (f"{service}_app", f"{service}_worker"):
        async with hands.login(role, person_of(me)) as connection:
            for attempt in attempts:
                refusal = await refusal_of(connection, attempt)
                assert isinstance(refusal, FORBIDDEN), (role, attempt, refusal)


@each_table
async def test_not_even_owner_or_superuser_rewrites_history_with_triggers_at_rest(
    superuser: Any, table: str
) -> None:
    service, column = table.partition(".")[0], await a_column(superuser, table)
    attempts = [statement(table, verb, column) for verb in sorted(APPEND_ONLY[table])]
    for mode, role in (
        ("origin", "NONE"),
        ("replica", "NONE"),
        ("replica", f"{service}_owner"),
    ):
        transaction = superuser.transaction()
        await transaction.start()
        await superuser.execute(f"SET LOCAL session_replication_role = {mode}")
        await superuser.execute(f"SET LOCAL ROLE {role}")
        for attempt in attempts:
            refusal = await refusal_of(superuser, attempt)
            assert isinstance(refusal, FORBIDDEN), (mode, role, attempt)
            assert "append-only" in str(refusal), (mode, role, attempt)
        await transaction.rollback()


async def test_an_event_is_written_and_then_out_of_reach_of_whoever_wrote_it(
    me: Client, hands: Hands
) -> None:
    """The application's role puts events into the outbox, and neither reads nor takes them back."""
    await me.new_thread("Recorded")
    for service in SERVICES:
        async with hands.login(f"{service}_app", person_of(me)) as connection:
            for attempt in (
                f"SELECT event FROM {service}.outbox",
                f"DELETE FROM {service}.outbox",
                f"DELETE FROM {service}.bundles",
                f"UPDATE {service}.relay_state SET number = 0",
                f"INSERT INTO {service}.receipts (number, tree_head) VALUES (1, '')",
            ):
                assert isinstance(await refusal_of(connection, attempt), FORBIDDEN), attempt
