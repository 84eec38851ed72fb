"""Law 8: who may publish on NATS, and purge what is there, has no event forgotten by that."""

from typing import Any

import nats

from chenu.events.v1.bundle_pb2 import Bundle, Manifest
from deploy.local.backends import Backends
from kernel.messaging import STREAM
from kernel.receipts import root_of
from tests.support.fleet import Client, Fleet
from tests.support.waiting import soon

LOGGED = "SELECT 1 FROM audit.entries WHERE kind = 'event' AND subject = $1"
HELD = "SELECT number FROM audit.sources WHERE source = 'chenu/threads'"
BUNDLED = """SELECT number, manifest FROM threads.bundles
    WHERE seqs && ARRAY(SELECT seq FROM threads.outbox WHERE stream = $1)"""
RELEASED = "SELECT max(number) FROM threads.receipts"


async def test_a_bundle_that_was_put_in_the_place_of_another_has_it_neither_lost_nor_forgotten(
    me: Client, fleet: Fleet, fleet_backends: Backends, superuser: Any
) -> None:
    await fleet.stop("audit")
    try:
        thread = f"thread/{await me.new_thread('Acknowledged')}"
        true = await soon(lambda: superuser.fetchrow(BUNDLED, thread), "its event is in a bundle")
        forged = Manifest.FromString(true["manifest"])
        forged.count, forged.root = 0, root_of([])
        bundle = Bundle(manifest=forged.SerializeToString(deterministic=True))
        broker = await nats.connect(fleet_backends.nats.url)
        await broker.jetstream().purge_stream(STREAM, subject="audit.threads")
        await broker.jetstream().publish("audit.threads", bundle.SerializeToString())
        await broker.close()
    finally:
        await fleet.start("audit", CHENU_AUDIT_RECEIPT_SECONDS="0.3")

    async def taken() -> bool:
        return int(await superuser.fetchval(HELD) or 0) >= int(true["number"])

    await soon(taken, "audit has taken the forged one")
    await me.new_thread("And another, so that there is something to give a receipt for")

    async def released() -> bool:
        return int(await superuser.fetchval(RELEASED) or 0) > int(true["number"])

    await soon(released, "threads may let go of it")
    assert await superuser.fetchval(LOGGED, thread)
