"""People decide at the same moment, some of them no longer entitled: each counts once, or not."""

import asyncio
from typing import Final

import grpc
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint, CheckpointState
from kernel.errors import reason_of
from tests.support.approvals import colleague, waiting
from tests.support.governance_client import GovernanceClient
from tests.support.identity import Person, StandInIdentity

PEOPLE: Final = 4
NEEDED: Final = 2  # of finance, by the requirement named "quorum"
# Too late, or not (any more) one whose vote counts; nothing else may be the answer.
REFUSALS: Final = {"CHECKPOINT_NOT_PENDING", "NOT_ENTITLED"}
steps = st.tuples(st.integers(0, PEOPLE - 1), st.sampled_from(["approve", "reject", "revoke"]))
# What stands in one list is done at the same time; approving is drawn most often.
waves = st.lists(
    st.lists(
        st.one_of(st.tuples(st.integers(0, PEOPLE - 1), st.just("approve")), steps),
        min_size=1,
        max_size=6,
    ),
    min_size=1,
    max_size=3,
)


class Room:
    """Four people of finance in front of one checkpoint; what they did, and what was answered."""

    def __init__(self, client: GovernanceClient, identity: StandInIdentity) -> None:
        self.client, self.identity, self.owner = client, identity, Person()
        self.people = [colleague(identity, self.owner, "finance") for _ in range(PEOPLE)]
        self.revoked: set[str] = set()
        self.counted: list[tuple[str, str]] = []
        self.tried: set[str] = set()

    async def step(self, checkpoint: BlockedCheckpoint, who: int, what: str) -> None:
        one = self.people[who]
        if what == "revoke":
            self.identity.not_eligible[one.person] = "DEACTIVATED"
            self.revoked.add(one.person)
            return
        vote = self.client.approve if what == "approve" else self.client.reject
        if what == "approve":
            self.tried.add(one.person)
        try:
            await vote(one, checkpoint)
        except grpc.aio.AioRpcError as error:
            if reason_of(error) not in REFUSALS:
                raise
        else:
            self.counted.append((one.person, what))


@settings(
    max_examples=12, deadline=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(plan=waves)
@example(plan=[[(0, "approve")], [(0, "revoke")], [(1, "approve"), (1, "approve")]])
@example(plan=[[(0, "approve"), (1, "approve")], [(1, "revoke")]])
@example(plan=[[(0, "approve"), (1, "approve"), (2, "reject"), (3, "reject")]])
async def test_whoever_decides_at_once_each_counts_once_and_all_agree_on_the_end(
    client: GovernanceClient, identity: StandInIdentity, plan: list[list[tuple[int, str]]]
) -> None:
    room = Room(client, identity)
    request, checkpoint = await waiting(client, room.owner, "quorum")

    for wave in plan:
        await asyncio.gather(*(room.step(checkpoint, who, what) for who, what in wave))

    seen = await client.get(room.owner, checkpoint.checkpoint_id)
    assert sorted((vote.person_id, vote.option_id) for vote in seen.votes) == sorted(room.counted)
    approvers = {person for person, what in room.counted if what == "approve"}
    rejections = [person for person, what in room.counted if what == "reject"]
    assert len(approvers) + len(rejections) == len(room.counted), "somebody counted twice"
    assert len(rejections) == (seen.state == CheckpointState.CHECKPOINT_STATE_REJECTED)
    good = len(approvers - room.revoked)
    if seen.state == CheckpointState.CHECKPOINT_STATE_APPROVED:
        assert len(approvers) >= NEEDED
    elif not rejections:
        assert seen.state == CheckpointState.CHECKPOINT_STATE_PENDING
        assert good < NEEDED
        assert room.tried - room.revoked <= approvers, "a good vote was lost"

    (verdict,) = await client.ask(room.owner, request)
    permitted = verdict.state == VerdictState.VERDICT_STATE_PERMITTED
    approved = seen.state == CheckpointState.CHECKPOINT_STATE_APPROVED
    assert permitted is bool(verdict.permit) is (approved and good >= NEEDED)
