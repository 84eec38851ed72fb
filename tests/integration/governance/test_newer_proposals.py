"""A newer proposal in a thread takes the place of the older one that waits there."""

import asyncio
from contextlib import aclosing
from typing import Any
from uuid import uuid4

import grpc
import pytest

from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint, Checkpoint
from chenu.governance.v1.checkpoint_pb2 import CheckpointState as State
from chenu.governance.v1.checkpoint_service_pb2 import ListCheckpointsRequest
from chenu_gate.action import ActionKind, Target, Tool
from tests.integration.governance.conftest import Events
from tests.support.actions import DEFINITION
from tests.support.governance_client import GovernanceClient, a_request, gated, principal
from tests.support.identity import Person, StandInIdentity
from tests.support.refusals import refused

PENDING, SUPERSEDED = State.CHECKPOINT_STATE_PENDING, State.CHECKPOINT_STATE_SUPERSEDED
AGENT = str(uuid4())
NOTE = Target("thread", "t-1", "v1", "Plans")


class Proposer:
    """Somebody's agent, which asks governance itself, in one thread unless it is said otherwise."""

    def __init__(self, client: GovernanceClient, identity: StandInIdentity, person: Person) -> None:
        self._client, self.person, self.thread = client, person, str(uuid4())
        self.metadata = identity.as_agent(person, AGENT)

    async def ask(self, *several: dict[str, Any]) -> list[BlockedCheckpoint]:
        plan = [
            gated(
                self.person,
                **{
                    "principal": principal(self.person, AGENT), "thread": self.thread, "run": "",
                    "targets": (NOTE,), "arguments": {"words": str(uuid4())}, **changes,
                },
            )
            for changes in several
        ]  # fmt: skip
        verdicts = await self._client.ask(self.person, *plan, metadata=self.metadata)
        return [verdict.checkpoint for verdict in verdicts]

    async def one(self, **changes: Any) -> BlockedCheckpoint:
        (checkpoint,) = await self.ask(changes)
        return checkpoint

    async def see(self, checkpoint: BlockedCheckpoint) -> Checkpoint:
        return await self._client.get(self.person, checkpoint.checkpoint_id)

    async def states(self, several: list[BlockedCheckpoint]) -> set[State]:
        return {(await self.see(one)).state for one in several}

    async def inbox(self) -> list[str]:
        answer = await self._client.checkpoints.ListCheckpoints(
            ListCheckpointsRequest(), metadata=self._client.identity.as_human(self.person)
        )
        return [one.checkpoint_id for one in answer.checkpoints]


@pytest.fixture
def proposer(client: GovernanceClient, identity: StandInIdentity, person: Person) -> Proposer:
    return Proposer(client, identity, person)


async def test_a_newer_proposal_takes_the_place_of_the_older_one_and_its_card_disappears(
    client: GovernanceClient, person: Person, proposer: Proposer, events: Events
) -> None:
    older = await proposer.one(run=(run := str(uuid4())))
    async with aclosing(client.watch(person)) as stream:
        assert (await anext(stream)).checkpoint.checkpoint_id == older.checkpoint_id
        newer = await proposer.one()
        told = [(await anext(stream)).checkpoint for _ in range(2)]

    assert {(one.checkpoint_id, one.state) for one in told} == {
        (newer.checkpoint_id, PENDING),
        (older.checkpoint_id, SUPERSEDED),
    }
    assert await proposer.inbox() == [newer.checkpoint_id]
    seen = await proposer.see(older)
    assert seen.resolution_reason == "a newer proposal in the thread"
    await refused(
        client.approve(person, older),
        grpc.StatusCode.FAILED_PRECONDITION,
        "CHECKPOINT_NOT_PENDING",
    )
    assert (await events(f"checkpoint/{older.checkpoint_id}"))[-1]["type"].endswith(".superseded")
    assert [one.checkpoint_id for one in await client.resolved(run)] == [older.checkpoint_id]
    found = await client.found(person, older.request_id)
    assert found.state == VerdictState.VERDICT_STATE_SUPERSEDED
    assert (await client.approve(person, newer)).state == State.CHECKPOINT_STATE_APPROVED


@pytest.mark.parametrize(
    "changes",
    [
        {"thread": str(uuid4())},
        {"thread": ""},
        {"tool": Tool("thread.other", DEFINITION)},
        {"kind": ActionKind.SEND},
        {"executor": "courier"},
        {"targets": (Target("thread", "t-2", "v1", "Notes"),)},
        {"targets": (NOTE, Target("thread", "t-2", "v1", "Notes"))},
    ],
    ids=["another thread", "no thread", "tool", "kind", "executor", "target", "one target more"],
)
async def test_what_proposes_something_else_lets_it_wait(
    proposer: Proposer, changes: dict[str, Any]
) -> None:
    older = await proposer.one()
    newer = await proposer.one(**changes)
    assert await proposer.states([older, newer]) == {PENDING}


async def test_outside_of_a_thread_nothing_is_superseded(proposer: Proposer) -> None:
    both = [await proposer.one(thread="") for _ in range(2)]
    assert await proposer.states(both) == {PENDING}


async def test_what_one_plan_or_one_run_asks_for_belongs_together(proposer: Proposer) -> None:
    run = str(uuid4())
    together = [*await proposer.ask({"run": run}, {"run": run}), await proposer.one(run=run)]
    assert await proposer.states(together) == {PENDING}
    plan = await proposer.ask({}, {})
    assert await proposer.states(together) == {SUPERSEDED}
    assert await proposer.states(plan) == {PENDING}


async def test_nobody_else_takes_its_place(
    client: GovernanceClient, identity: StandInIdentity, person: Person, proposer: Proposer
) -> None:
    """Neither the person, nor another agent of theirs, nor a stranger in a thread of that name."""
    waiting = await proposer.one()
    stranger = Person()
    for whose, agent, metadata in (
        (person, "", identity.as_human(person)),
        (person, other := str(uuid4()), identity.as_agent(person, other)),
        (stranger, AGENT, identity.as_agent(stranger, AGENT)),
    ):
        action = gated(
            whose,
            principal=principal(whose, agent),
            thread=proposer.thread,
            run="",
            targets=(NOTE,),
        )
        await client.ask(whose, a_request(action), metadata=metadata)
    assert (await proposer.see(waiting)).state == PENDING


async def test_of_proposals_at_once_the_last_one_stays(proposer: Proposer) -> None:
    made = await asyncio.gather(*(proposer.one() for _ in range(4)))
    states = [(await proposer.see(one)).state for one in made]
    assert sorted(states) == [PENDING, SUPERSEDED, SUPERSEDED, SUPERSEDED]


async def test_what_is_decided_is_not_superseded(
    client: GovernanceClient, person: Person, proposer: Proposer
) -> None:
    decided = await proposer.one()
    await client.approve(person, decided)
    await proposer.one()
    assert (await proposer.see(decided)).state == State.CHECKPOINT_STATE_APPROVED
