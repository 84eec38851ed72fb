"""What is measured: each kind of work is one thing that a caller wants done, from its own side.

work = WORK["gated"](person)
await work.prepare(40)         # untimed: what the pieces of work will need
parts = await work.do()        # timed; raises if it was not done as it should be
"""

from abc import ABC, abstractmethod
from collections import deque
from typing import Any, Final
from uuid import uuid4

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint, CheckpointBlock
from chenu.governance.v1.checkpoint_service_pb2 import ApproveCheckpointRequest
from chenu.governance.v1.checkpoint_service_pb2_grpc import CheckpointServiceStub
from chenu.identity.v1.token_service_pb2 import IssueVoteTokenRequest
from chenu.identity.v1.token_service_pb2_grpc import TokenServiceStub
from chenu.nova.v1.run_pb2 import Lane, Run, RunState
from chenu.nova.v1.run_service_pb2 import (
    ClassifyIntentRequest,
    ContinueRunRequest,
    ExecuteRunRequest,
)
from chenu.nova.v1.run_service_pb2_grpc import RunServiceStub
from chenu.threads.v1.thread_event_pb2 import ThreadEventType
from chenu.threads.v1.thread_event_service_pb2 import AppendThreadEventRequest
from chenu.threads.v1.thread_event_service_pb2_grpc import ThreadEventServiceStub
from chenu.threads.v1.thread_service_pb2 import CreateThreadRequest
from chenu.threads.v1.thread_service_pb2_grpc import ThreadServiceStub
from kernel.errors import detail
from tests.performance.people import Person
from tests.support.identity import bearer

Parts = dict[str, float]
"""Milliseconds by what they went into; the lanes of a run, or nothing."""

_TIMEOUT: Final = 60.0
_ROUNDS: Final = (
    "Look three times.\n"
    '#simulate: [{"tools": [{"name": "thread_search", "input": {"query": "x"}}]},'
    ' {"tools": [{"name": "thread_search", "input": {"query": "y"}}]},'
    ' {"tools": [{"name": "thread_search", "input": {"query": "z"}}], "finish": true,'
    ' "text": "That is all."}]'
)


class NotDone(Exception):
    """The fleet answered, but not with what was asked for."""


class Work(ABC):
    """One kind of work of one caller."""

    def __init__(self, person: Person) -> None:
        self.person = person

    async def prepare(self, pieces: int) -> None:  # noqa: B027  most work needs nothing
        """Make what so many pieces of work need; more can always be done."""

    async def before(self) -> None:  # noqa: B027  likewise
        """Untimed, before each piece."""

    @abstractmethod
    async def do(self) -> Parts:
        """Do one piece; what part of the time its lanes took."""


class Plain(Work):
    """A run that founds a thread: allowed, one round."""

    async def do(self) -> Parts:
        return lanes(await self.execute(f"Create a thread called “Plan {uuid4().hex[:12]}”"), 1)

    async def execute(self, text: str) -> Run:
        """Run a request to its end."""
        answer = await self.person.stub(RunServiceStub, "nova").ExecuteRun(
            ExecuteRunRequest(text=text), metadata=self.person.nova, timeout=_TIMEOUT
        )
        run: Run = answer.run
        return run


class ThreeRounds(Plain):
    """A run that plans three times, with the results of the round before."""

    async def do(self) -> Parts:
        run = await self.execute(_ROUNDS)
        if run.round != 3:
            raise NotDone(f"{run.round} rounds")
        return lanes(run, 3)


class Gated(Plain):
    """A run that deletes a thread: it blocks, a person approves, it goes on to its end."""

    def __init__(self, person: Person) -> None:
        super().__init__(person)
        self._titles: deque[str] = deque()

    async def prepare(self, pieces: int) -> None:
        for _ in range(pieces):
            title = f"Draft {uuid4().hex[:12]}"
            await create_thread(self.person, title)
            self._titles.append(title)

    async def before(self) -> None:
        if not self._titles:
            await self.prepare(1)

    async def do(self) -> Parts:
        run_id, waiting = await self._blocked(self._titles.popleft())
        await approve(self.person, waiting)
        answer = await self.person.stub(RunServiceStub, "nova").ContinueRun(
            ContinueRunRequest(run_id=run_id), metadata=self.person.nova, timeout=_TIMEOUT
        )
        return lanes(answer.run, 1)

    async def _blocked(self, title: str) -> tuple[str, BlockedCheckpoint]:
        try:
            await self.execute(f"Delete the thread “{title}”")
        except grpc.aio.AioRpcError as error:
            block = detail(error, CheckpointBlock)
            if block is None:
                raise
            return block.run_id, block.checkpoints[0]
        raise NotDone("a deletion was not blocked")


class Append(Work):
    """An event added to a thread's history."""

    def __init__(self, person: Person) -> None:
        super().__init__(person)
        self._thread_id = ""

    async def prepare(self, pieces: int) -> None:
        self._thread_id = await create_thread(self.person, "History")

    async def do(self) -> Parts:
        request = AppendThreadEventRequest(
            thread_id=self._thread_id, type=ThreadEventType.THREAD_EVENT_TYPE_DECISION_RECORDED
        )
        request.payload["words"] = "what was decided"
        await self.person.stub(ThreadEventServiceStub, "threads").AppendThreadEvent(
            request, metadata=self.person.me, timeout=_TIMEOUT
        )
        return {}


class Health(Work):
    """A health check: an RPC that asks for no token and does nothing."""

    async def do(self) -> Parts:
        await self.person.stub(health_pb2_grpc.HealthStub, "nova").Check(
            health_pb2.HealthCheckRequest(), timeout=_TIMEOUT
        )
        return {}


class Authenticated(Work):
    """The cheapest RPC behind the whole chain of interceptors: it reads no table."""

    async def do(self) -> Parts:
        await self.person.stub(RunServiceStub, "nova").ClassifyIntent(
            ClassifyIntentRequest(text="Hi"), metadata=self.person.nova, timeout=_TIMEOUT
        )
        return {}


async def approve(person: Person, waiting: BlockedCheckpoint) -> None:
    """The person approves what waits."""
    token = await person.stub(TokenServiceStub, "identity").IssueVoteToken(
        IssueVoteTokenRequest(
            session_secret=person.session.session_secret,
            checkpoint_id=waiting.checkpoint_id,
            view_digest=waiting.view_digest,
        ),
        timeout=_TIMEOUT,
    )
    await person.stub(CheckpointServiceStub, "governance").ApproveCheckpoint(
        ApproveCheckpointRequest(checkpoint_id=waiting.checkpoint_id, etag=waiting.view_digest),
        metadata=bearer(token.vote_token),
        timeout=_TIMEOUT,
    )


async def create_thread(person: Person, title: str) -> str:
    """A thread that the person founds without Nova; its id."""
    answer: Any = await person.stub(ThreadServiceStub, "threads").CreateThread(
        CreateThreadRequest(title=title, founding_intent="to be measured"),
        metadata=person.me,
        timeout=_TIMEOUT,
    )
    thread_id: str = answer.thread.thread_id
    return thread_id


def lanes(run: Run, actions: int) -> Parts:
    """What each lane took, over all rounds; NotDone unless the run did what it should."""
    if run.state != RunState.RUN_STATE_SUCCEEDED or len(run.actions) != actions:
        state = RunState.Name(run.state).removeprefix("RUN_STATE_")
        raise NotDone(f"{state} {run.error_reason} with {len(run.actions)} actions: {run.answer}")
    took: Parts = {}
    for result in run.lanes:
        name = Lane.Name(result.lane).removeprefix("LANE_").lower()
        took[name] = took.get(name, 0.0) + result.duration_micros / 1000
    return took
