"""Law 8 in the database: what audit has not vouched for stays, and what is in its log too."""

from typing import Any

import asyncpg
import pytest

from deploy.postgres.roles import SERVICES
from tests.laws import log
from tests.laws.hands import Hands, refusal_of
from tests.support.fleet import Client

FORBIDDEN = asyncpg.InsufficientPrivilegeError
UNRELEASED = 10**9
WRITE = """
    INSERT INTO {s}.outbox (id, stream, version, event)
    SELECT gen_random_uuid(), 'law/8', 1, '' RETURNING seq"""
BUNDLE = "INSERT INTO {s}.bundles (number, manifest, seqs) VALUES ($1, '', $2)"


@pytest.mark.parametrize("service", SERVICES)
async def test_a_services_worker_deletes_nothing_by_hand(
    me: Client, hands: Hands, service: str
) -> None:
    async with hands.login(f"{service}_worker") as worker:
        for table in ("outbox", "bundles", "receipts"):
            refusal = await refusal_of(worker, f"DELETE FROM {service}.{table}")
            assert isinstance(refusal, FORBIDDEN), (table, refusal)


@pytest.mark.parametrize("service", SERVICES)
async def test_only_what_has_its_receipt_is_ever_pruned(
    me: Client, hands: Hands, service: str
) -> None:
    async with hands.login(f"{service}_worker") as worker:
        transaction = worker.transaction()
        await transaction.start()
        waiting = await worker.fetchval(WRITE.format(s=service))
        bundled = await worker.fetchval(WRITE.format(s=service))
        await worker.execute(BUNDLE.format(s=service), UNRELEASED, [bundled])
        await worker.execute(f"SELECT {service}.prune_outbox(-3600)")
        kept = f"SELECT count(*) FROM {service}.outbox WHERE seq = ANY($1)"
        assert await worker.fetchval(kept, [waiting, bundled]) == 2
        # Nor does moving the rows into a new generation lose one of them.
        count = f"SELECT count(*) FROM {service}.outbox"
        before = await worker.fetchval(count)
        await worker.execute(f"SELECT {service}.rebase_outbox()")
        assert await worker.fetchval(count) == before
        # With its receipt it goes, alone.
        await worker.execute(
            f"INSERT INTO {service}.receipts (number, tree_head) VALUES ($1, '')", UNRELEASED
        )
        await worker.execute(f"SELECT {service}.prune_outbox(-3600)")
        while await worker.fetchval(f"SELECT count(*) FROM {service}.bundles"):
            await worker.execute(f"SELECT {service}.prune_outbox(-3600)")
        assert await worker.fetchval(kept, [waiting, bundled]) == 1
        await transaction.rollback()
    async with hands.login(f"{service}_app") as application:
        for door in ("prune_outbox(0)", "rebase_outbox()"):
            refusal = await refusal_of(application, f"SELECT {service}.{door}")
            assert isinstance(refusal, FORBIDDEN), door


SHRINKING = {
    "a smaller log": "UPDATE audit.log SET size = size - 1",
    "a shorter tile": "UPDATE audit.tiles SET hashes = substring(hashes FOR 32 * 0)",
    "another tile": "UPDATE audit.tiles SET hashes = overlay(hashes PLACING '\\x00ff' FROM 1)",
}


@pytest.fixture
async def logged(me: Client, superuser: Any) -> None:
    """Something is in the log."""
    await log.all_logged(superuser)


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("how", SHRINKING)
async def test_the_log_only_grows_whoever_writes_it(hands: Hands, superuser: Any, how: str) -> None:
    async with hands.login("audit_worker") as worker:
        refusal = await refusal_of(worker, SHRINKING[how])
        assert isinstance(refusal, FORBIDDEN), refusal
        assert "only grows" in str(refusal)
    for mode in ("origin", "replica"):
        transaction = superuser.transaction()
        await transaction.start()
        await superuser.execute(f"SET LOCAL session_replication_role = {mode}")
        refusal = await refusal_of(superuser, SHRINKING[how])
        assert isinstance(refusal, FORBIDDEN), (mode, refusal)
        await transaction.rollback()
