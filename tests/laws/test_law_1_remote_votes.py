"""Law 1: what comes from a mail or a chat is a person's, once, and decides only small things."""

from uuid import uuid4

from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint, CheckpointState
from chenu.governance.v1.checkpoint_service_pb2 import (
    ApproveCheckpointRequest,
    RejectCheckpointRequest,
)
from chenu.identity.v1.auth_service_pb2 import LogoutRequest
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from chenu.identity.v1.channel_grant_service_pb2 import (
    IssueChannelGrantRequest,
    RedeemBallotRequest,
)
from tests.laws.hands import Hands, use
from tests.laws.stories import doomed, reason
from tests.support.fleet import Client
from tests.support.identity import Metadata, bearer

SERVICES = ("identity", "threads", "governance", "audit", "nova", "llm", "courier")


async def harmless(me: Client, hands: Hands) -> BlockedCheckpoint:
    """Something that waits and could not hurt."""
    action = use(me, "thread.search", query=str(uuid4()))
    return (await hands.ask(me, action, requires_checkpoint=True)).checkpoint


async def vote(me: Client, at: BlockedCheckpoint, metadata: Metadata) -> CheckpointState:
    request = ApproveCheckpointRequest(checkpoint_id=at.checkpoint_id, etag=at.view_digest)
    answer = await me.checkpoints.ApproveCheckpoint(request, metadata=metadata)
    state: CheckpointState = answer.checkpoint.state
    return state


async def test_a_ballot_decides_once_what_could_do_little_harm(me: Client, hands: Hands) -> None:
    at = await harmless(me, hands)
    ballot = await hands.ballot(me, at.checkpoint_id, at.view_digest)
    token = await hands.redeemed(ballot)
    assert await vote(me, at, token) == CheckpointState.CHECKPOINT_STATE_APPROVED
    again = await hands.redeemed(ballot)
    assert await vote(me, at, again) == CheckpointState.CHECKPOINT_STATE_APPROVED
    reject = RejectCheckpointRequest(checkpoint_id=at.checkpoint_id, etag=at.view_digest)
    call = me.checkpoints.RejectCheckpoint(reject, metadata=again)
    assert await reason(call) == ("ABORTED", "VOTE_TOKEN_USED")
    (kept,) = (await me.checkpoint(at.checkpoint_id)).votes
    assert kept.authentication == "mail"


async def test_a_ballot_decides_nothing_that_could_do_more(me: Client, hands: Hands) -> None:
    _, at = await doomed(me)
    token = await hands.redeemed(await hands.ballot(me, at.checkpoint_id, at.view_digest))
    assert await reason(vote(me, at, token)) == ("FAILED_PRECONDITION", "LOGIN_REQUIRED")
    assert not (await me.checkpoint(at.checkpoint_id)).votes
    assert "Doomed" in await me.titles()


async def test_no_service_begins_this_chain_and_courier_does_not_end_it(
    me: Client, hands: Hands
) -> None:
    at = await harmless(me, hands)
    ballot = await hands.ballot(me, at.checkpoint_id, at.view_digest)
    (own, _) = await hands.redeemed(ballot)
    begin = IssueChannelGrantRequest(
        session_secret=me.session.session_secret,
        channel_id=str(uuid4()),
        method="CHANNEL_METHOD_CHAT",
    )
    for name in SERVICES:
        service = await hands.service(name)
        metadata = bearer("", service)
        for call in (
            hands.grants.IssueChannelGrant(begin, metadata=metadata),
            hands.grants.RedeemBallot(RedeemBallotRequest(ballot=ballot), metadata=metadata),
            vote(me, at, (own, *metadata)),
        ):
            assert (await reason(call))[0] == "PERMISSION_DENIED", name
    redeem = hands.grants.RedeemBallot(RedeemBallotRequest(ballot=ballot), metadata=me.me)
    assert (await reason(redeem))[0] == "PERMISSION_DENIED"
    assert not (await me.checkpoint(at.checkpoint_id)).votes


async def test_logging_out_takes_every_ballot_back(me: Client, hands: Hands) -> None:
    at = await harmless(me, hands)
    ballot = await hands.ballot(me, at.checkpoint_id, at.view_digest)
    token = await hands.redeemed(ballot)
    await AuthServiceStub(me.fleet.channel("identity")).Logout(LogoutRequest(), metadata=me.me)
    assert (await reason(hands.redeemed(ballot)))[1] == "CHANNEL_GRANT_ENDED"
    assert await reason(vote(me, at, token)) == ("PERMISSION_DENIED", "NOT_ENTITLED")
