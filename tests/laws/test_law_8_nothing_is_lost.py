"""Law 8: what was acknowledged is in the audit log, or will be; and a log that was cut shows it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import nats
import pytest

from chenu.events.v1.bundle_pb2 import Receipt
from chenu.events.v1.source_service_pb2 import ReleaseBundlesRequest
from chenu.events.v1.source_service_pb2_grpc import SourceServiceStub
from deploy.local.backends import Backends
from deploy.postgres.roles import LOGINS
from kernel.messaging import STREAM
from tests.laws import log
from tests.laws.hands import Hands
from tests.laws.household import household
from tests.laws.stories import reason
from tests.support.fleet import Client, Fleet
from tests.support.identity import bearer
from tests.support.waiting import soon


async def everybody_writes(fleet: Fleet, hands: Hands) -> Client:
    """A story after which every service has something new to tell."""
    me = await fleet.register()
    await household(me, hands)
    return me


async def test_every_event_of_every_service_is_in_a_log_that_can_be_recomputed(
    fleet: Fleet, hands: Hands, superuser: Any
) -> None:
    me = await everybody_writes(fleet, hands)
    await log.all_logged(superuser)
    await log.verify(fleet.channel("audit"), me.me, hands.keys)
    told = await superuser.fetch(
        "SELECT DISTINCT source FROM audit.entries WHERE tenant = $1",
        me.session.session.user.tenant_id,
    )
    assert {row["source"] for row in told} >= {
        f"chenu/{s}" for s in ("identity", "threads", "governance", "nova", "llm", "courier")
    }


async def test_what_was_acknowledged_while_audit_was_away_survives_the_loss_of_the_broker(
    fleet: Fleet, fleet_backends: Backends, hands: Hands, superuser: Any
) -> None:
    await fleet.stop("audit")
    try:
        me = await everybody_writes(fleet, hands)
        broker = await nats.connect(fleet_backends.nats.url)
        stream = broker.jetstream()

        async def held() -> int:
            return int((await stream.stream_info(STREAM)).state.messages)

        await soon(held, "bundles are published, and nobody takes them")
        await stream.delete_stream(STREAM)
        await broker.close()
    finally:
        await fleet.start("audit")
    await everybody_writes(fleet, hands)  # so that audit hears of each source again
    await log.all_logged(superuser)
    await log.verify(fleet.channel("audit"), me.me, hands.keys)


async def test_a_change_is_acknowledged_when_it_is_on_the_disk_and_not_before(
    hands: Hands, superuser: Any
) -> None:
    for role in LOGINS:
        async with hands.login(role) as connection:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                assert await connection.fetchval(f"SHOW {setting}") == "on", (role, setting)


async def test_nobody_but_audit_lets_a_source_forget(
    fleet: Fleet, me: Client, hands: Hands
) -> None:
    receipt = Receipt(source="chenu/threads", number=10**9, manifest_index=1, tree_head="forged")
    request = ReleaseBundlesRequest(receipt=receipt)
    threads = SourceServiceStub(fleet.channel("threads"))
    for service in ("nova", "threads", "gateway", "governance"):
        metadata = bearer("", await hands.service(service))
        code, _ = await reason(threads.ReleaseBundles(request, metadata=metadata))
        assert code == "PERMISSION_DENIED", service
    for metadata in (me.me, await hands.agent(me), await hands.nova(me)):
        assert (await reason(threads.ReleaseBundles(request, metadata=metadata)))[0] == (
            "PERMISSION_DENIED"
        )
    # And audit itself not without a proof under a head that the log's key has signed.
    metadata = bearer("", await hands.service("audit"))
    refused = await reason(threads.ReleaseBundles(request, metadata=metadata))
    assert refused == ("FAILED_PRECONDITION", "RECEIPT_INVALID")


ENTRIES = "UPDATE audit.entries e SET "
REWRITE = "convert_to(replace(convert_from(leaf, 'UTF8'), '\"human\"', '\"agent\"'), 'UTF8')"
TAMPERINGS = {
    "a record rewritten": (
        f"{ENTRIES} leaf = {REWRITE} WHERE index = $1",
        "root",
    ),
    "a record rewritten together with its hash": (
        (
            f"{ENTRIES} leaf = {REWRITE}, leaf_hash = sha256('\\x00'::bytea || {REWRITE})"
            " WHERE index = $1"
        ),
        "root",
    ),
    "a record taken out": ("DELETE FROM audit.entries WHERE index = $1", "root|fewer"),
    "a record put in the place of another": (
        (
            f"{ENTRIES} leaf = o.leaf, leaf_hash = o.leaf_hash FROM audit.entries o"
            " WHERE e.index = $1 AND o.index = $1 + 1"
        ),
        "root",
    ),
}


@asynccontextmanager
async def tampered(superuser: Any, change: str, index: int) -> AsyncIterator[None]:
    """What only the superuser can do, and only with the guard switched off; undone afterwards."""
    unguarded = "ALTER TABLE audit.entries DISABLE TRIGGER append_only"
    guarded = "ALTER TABLE audit.entries ENABLE ALWAYS TRIGGER append_only"
    async with superuser.transaction():
        await superuser.execute(
            f"CREATE TEMP TABLE kept AS SELECT * FROM audit.entries WHERE index = {index}"
        )
        await superuser.execute(unguarded)
        assert (await superuser.execute(change, index)).endswith(" 1")
        await superuser.execute(guarded)
    try:
        yield
    finally:
        async with superuser.transaction():
            await superuser.execute(unguarded)
            await superuser.execute("DELETE FROM audit.entries WHERE index = $1", index)
            await superuser.execute("INSERT INTO audit.entries SELECT * FROM kept")
            await superuser.execute(guarded)
            await superuser.execute("DROP TABLE kept")


@pytest.mark.parametrize("how", list(TAMPERINGS))
async def test_a_log_that_was_tampered_with_shows_it(
    fleet: Fleet, hands: Hands, superuser: Any, how: str
) -> None:
    me = await fleet.register()
    audit = fleet.channel("audit")
    await log.all_logged(superuser)
    index = await superuser.fetchval(
        "SELECT min(index) FROM audit.entries WHERE tenant = $1 AND leaf::text LIKE $2",
        me.session.session.user.tenant_id,
        "%" + b'"human"'.hex() + "%",
    )
    await log.verify(audit, me.me, hands.keys)
    change, shown = TAMPERINGS[how]
    async with tampered(superuser, change, index):
        with pytest.raises(AssertionError, match=shown):
            await log.verify(audit, me.me, hands.keys)
    await log.verify(audit, me.me, hands.keys)
