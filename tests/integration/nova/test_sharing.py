"""One identity shares a thread with another of the same person: planned, approved, read."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import grpc
import pytest

from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu.governance.v1.checkpoint_pb2 import Checkpoint, CheckpointType
from chenu.governance.v1.review_service_pb2 import (
    EditCheckpointRequest,
    EditedTarget,
    EditedTargets,
)
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from chenu.nova.v1.run_pb2 import Run, RunState
from chenu.threads.v1.thread_pb2 import Thread
from chenu.threads.v1.thread_service_pb2 import GetThreadRequest
from chenu_gate.action import Target
from kernel.errors import reason_of
from tests.laws.hands import Hands, use
from tests.laws.reviewing import join
from tests.laws.stories import blocked, reason
from tests.support.fleet import Client, Fleet

DONE = RunState.RUN_STATE_SUCCEEDED
FORBIDDEN = ("PERMISSION_DENIED", "FORBIDDEN")


@pytest.fixture(scope="module")
def hands(fleet: Fleet, fleet_environment: Mapping[str, str]) -> Hands:
    return Hands(fleet, fleet_environment)


async def thread(who: Client, thread_id: str) -> Thread:
    """The thread as they see it; raises what the RPC raises."""
    read = await who.threads.GetThread(GetThreadRequest(thread_id=thread_id), metadata=who.me)
    found: Thread = read.thread
    return found


async def stopped(me: Client, text: str, **fields: Any) -> tuple[str, Checkpoint]:
    """The run that a request began, and the one checkpoint that it waits for."""
    block = await blocked(me, text, **fields)
    (waiting,) = block.checkpoints
    return block.run_id, await me.checkpoint(waiting.checkpoint_id)


async def approved(me: Client, text: str, **fields: Any) -> Run:
    """The run that does this once it is approved."""
    run_id, checkpoint = await stopped(me, text, **fields)
    assert checkpoint.type == CheckpointType.CHECKPOINT_TYPE_IDENTITY_BOUNDARY
    await me.approve(checkpoint.checkpoint_id)
    run = await me.go_on(run_id)
    assert run.state == DONE
    return run


async def test_a_thread_is_shared_with_another_identity_of_mine_once_i_have_approved_it(
    me: Client,
) -> None:
    shop, third, bea = await me.another("Shop"), await me.another("Atelier"), await join(me)
    lease = await me.new_thread("Lease")
    run_id, checkpoint = await stopped(me, "Share the thread “Lease” with my identity “Shop”")

    assert checkpoint.type == CheckpointType.CHECKPOINT_TYPE_IDENTITY_BOUNDARY
    assert checkpoint.rule == "identity_crossing"
    view = json.loads(checkpoint.view)
    assert view["headline"].startswith("Configure thread “Lease”, identity “Shop” ")
    crossing = f"It crosses from identity {me.identity_id} to identity “Shop”."
    assert crossing in view["touches"]
    assert view["reversible"]
    assert await reason(thread(shop, lease)) == FORBIDDEN

    await me.approve(checkpoint.checkpoint_id)
    assert (await me.go_on(run_id)).state == DONE

    seen = await thread(shop, lease)
    assert (seen.title, seen.owner_identity_id) == ("Lease", me.identity_id)
    assert list(seen.reader_identity_ids) == [shop.identity_id]
    assert await reason(shop.say(lease)) == FORBIDDEN
    for other in (third, bea):
        assert await reason(thread(other, lease)) == FORBIDDEN

    await approved(me, "Stop sharing the thread “Lease” with my identity “Shop”")
    assert await reason(thread(shop, lease)) == FORBIDDEN


async def test_a_request_in_french_shares_as_well(me: Client) -> None:
    shop, lease = await me.another("Boutique"), await me.new_thread("Bail")

    await approved(me, "Partage le fil « Bail » avec mon identité « Boutique »")
    assert (await thread(shop, lease)).title == "Bail"

    await approved(me, "Ne partage plus le fil « Bail » avec mon identité « Boutique »")
    assert await reason(thread(shop, lease)) == FORBIDDEN


@pytest.mark.parametrize(
    ("named", "question"),
    [
        ("Shop", "could be 2 identities: “Shop” ("),
        ("Bakery", "I know no identity called “Bakery”"),
        ("Mine", "I know no identity called “Mine”"),
        ("hers", "I know no identity called"),
    ],
)
async def test_an_identity_that_is_not_exactly_one_other_of_mine_is_asked_for(
    fleet: Fleet, named: str, question: str
) -> None:
    me = await fleet.register("Mine")
    await me.new_thread("Lease")
    for _ in range(2):
        await me.another("Shop")
    said = (await join(me)).identity_id if named == "hers" else named

    run = await me.execute(f"Share the thread “Lease” with my identity “{said}”")

    assert (run.state, len(run.actions)) == (DONE, 0)
    assert question in run.answer


async def test_with_somebody_elses_identity_it_is_refused_whoever_would_vote(
    me: Client, hands: Hands
) -> None:
    """Asked of governance itself, with her id and with her id under the name of one of mine."""
    shop, bea = await me.another("Shop"), await join(me, "owner")
    lease = await thread(me, await me.new_thread("Lease"))

    async def asked(identity: str, name: str) -> tuple[int, str]:
        targets = (
            Target("thread", lease.thread_id, lease.etag, lease.title),
            Target("identity", identity, name=name),
        )
        action = use(me, "thread.share", *targets, thread=lease.thread_id, identity=identity)
        verdict = await hands.ask(me, action)
        return verdict.state, verdict.decision.rule

    denied = (VerdictState.VERDICT_STATE_DENIED, "identity_boundary")
    for identity, name in (
        (bea.identity_id, ""),
        (bea.identity_id, "Bea"),
        (bea.identity_id, "Shop"),
        (str(uuid4()), "Shop"),
        # Mine, but not what people would be shown.
        (shop.identity_id, "Bakery"),
    ):
        assert await asked(identity, name) == denied, (identity, name)
    blocked_by = (VerdictState.VERDICT_STATE_BLOCKED, "identity_crossing")
    assert await asked(shop.identity_id, "Shop") == blocked_by
    assert await reason(thread(bea, lease.thread_id)) == FORBIDDEN


async def test_an_approval_of_one_sharing_serves_no_other(me: Client, hands: Hands) -> None:
    """Edited to somebody else's identity it is refused; altered after the vote it is another."""
    shop, other, bea = await me.another("Shop"), await me.another("Other"), await join(me)
    lease = await me.new_thread("Lease")
    run_id, checkpoint = await stopped(me, "Share the thread “Lease” with my identity “Shop”")
    action = json.loads(checkpoint.action)

    def edit(identity: str, name: str) -> EditCheckpointRequest:
        to = EditedTarget(type="identity", id=identity, name=name)
        (of_thread,) = [t for t in action["targets"] if t["type"] == "thread"]
        return EditCheckpointRequest(
            checkpoint_id=checkpoint.checkpoint_id,
            etag=checkpoint.etag,
            arguments=json.dumps(action["arguments"] | {"identity": identity}),
            targets=EditedTargets(targets=[EditedTarget(**of_thread), to]),
        )

    reviews = ReviewServiceStub(me.fleet.channel("governance"))
    for identity, name in ((bea.identity_id, "Bea"), (other.identity_id, "Shop")):
        call = reviews.EditCheckpoint(edit(identity, name), metadata=me.me)
        assert await reason(call) == ("PERMISSION_DENIED", "GOVERNANCE_DENIED")
    await me.say(lease)
    await me.approve(checkpoint.checkpoint_id)

    with pytest.raises(grpc.aio.AioRpcError) as waits:
        await me.go_on(run_id)
    assert reason_of(waits.value) == "CHECKPOINT_REQUIRED"
    assert await reason(thread(shop, lease)) == FORBIDDEN


async def test_a_reader_asks_nova_about_the_thread_and_leaves_nothing_in_it(
    me: Client, superuser: Any
) -> None:
    shop, lease = await me.another("Shop"), await me.new_thread("Lease")
    await me.say(lease, "The rent is 900.")
    await approved(me, "Share this thread with my identity Shop", thread_id=lease)
    before = await thread(me, lease)

    run = await shop.execute("What is the rent?", thread_id=lease)
    assert run.state == DONE
    tried = await shop.begin("Append “Paid” to this thread", thread_id=lease)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await shop.go_on(tried.run_id)

    assert reason_of(refused.value) == "RUN_FAILED"
    assert (await shop.run(tried.run_id)).error_reason == "FORBIDDEN"
    assert await thread(me, lease) == before
    untold = "SELECT count(*) FROM nova.runs WHERE untold AND identity = $1"
    assert await superuser.fetchval(untold, shop.identity_id) == 0
