"""Sowing it: the same request ids each time, so that doing it twice does nothing twice."""

from collections.abc import Callable
from uuid import UUID, uuid5

from chenu.governance.v1.checkpoint_pb2 import Checkpoint
from chenu.nova.v1.run_pb2 import Run
from chenu.threads.v1.message_service_pb2 import CreateMessageRequest
from chenu.threads.v1.message_service_pb2_grpc import MessageServiceStub
from chenu.threads.v1.thread_pb2 import Thread, ThreadStatus
from chenu.threads.v1.thread_service_pb2 import ArchiveThreadRequest, CreateThreadRequest
from chenu.threads.v1.thread_service_pb2_grpc import ThreadServiceStub
from cli.agents import hire_agent
from cli.connection import Connection
from cli.endpoints import create_endpoint
from cli.problems import Problem
from cli.running import Way, execute, wait_for
from cli.seed.data import AGENT, DECIDED, ENDPOINT, FINISHED, THREADS, WAITING, Sown
from cli.voting import approve_checkpoint, get_checkpoint, reject_checkpoint
from cli.words import KINDS, SPHERES, number

Tell = Callable[[str], None]


class Sower:
    """Sows as the person who is logged in, and tells each thing as it is done."""

    def __init__(self, connection: Connection, tell: Tell) -> None:
        self._connection, self._tell = connection, tell
        self._mine = UUID(connection.credentials.file.load().identity_id)
        self.counts = {"threads": 0, "messages": 0, "runs": 0, "decided": 0, "waiting": 0}

    async def sow(self) -> None:
        """Everything."""
        for sown in THREADS:
            await self._thread(sown)
        await self._surroundings()
        for text in FINISHED:
            await self._finished(text)
        for text, approved, comment in DECIDED:
            await self._decided(text, approved, comment)
        for text in WAITING:
            await self._waiting(text)

    async def _thread(self, sown: Sown) -> None:
        stub = self._connection.stub(ThreadServiceStub)
        request = CreateThreadRequest(
            title=sown.title,
            founding_intent=sown.intent,
            sphere=number(SPHERES, sown.sphere, "sphere"),  # type: ignore[arg-type]
            kind=number(KINDS, sown.kind, "kind"),  # type: ignore[arg-type]
            tags=sown.tags,
            request_id=self._id("thread", sown.title),
        )
        try:
            made: Thread = (await stub.CreateThread(request)).thread
        except Problem as problem:
            self._tell(f"thread “{sown.title}”: {problem}")  # sown before, and deleted since
            return
        self.counts["threads"] += 1
        if made.status == ThreadStatus.THREAD_STATUS_ARCHIVED:
            return
        for text in sown.messages:
            await self._message(made.thread_id, text)
        if sown.archived:
            await stub.ArchiveThread(ArchiveThreadRequest(thread_id=made.thread_id))
        self._tell(f"thread “{sown.title}” in {sown.sphere}, {len(sown.messages)} messages")

    async def _message(self, thread_id: str, text: str) -> None:
        request = CreateMessageRequest(
            thread_id=thread_id, content=text, request_id=self._id(thread_id, text)
        )
        await self._connection.stub(MessageServiceStub).CreateMessage(request)
        self.counts["messages"] += 1

    async def _surroundings(self) -> None:
        """An endpoint and an agent; where one cannot be made, the rest goes on without."""
        name, url = ENDPOINT
        try:
            made = await create_endpoint(
                self._connection, name, url, request_id=self._id("endpoint", name)
            )
            self._tell(f"endpoint “{made.endpoint.name}” at {made.endpoint.url}")
        except Problem as problem:
            self._tell(f"no endpoint: {problem.status} ({problem})")
        hired = await hire_agent(self._connection, AGENT, request_id=self._id("agent", AGENT))
        self._tell(f"agent “{hired.agent.display_name}”")

    async def _finished(self, text: str) -> None:
        run = await self._run(text)
        if run is not None:
            self._tell(f"run “{text}”: {run.answer.splitlines()[0] if run.answer else 'done'}")

    async def _decided(self, text: str, approved: bool, comment: str) -> None:
        checkpoint = await self._blocked(text)
        if checkpoint is None:
            return
        decide = approve_checkpoint if approved else reject_checkpoint
        what = checkpoint.checkpoint_id
        await decide(self._connection, what, checkpoint.etag, comment)
        try:
            await wait_for(self._connection, checkpoint.run_id)
        except Problem as problem:
            if problem.reason != "CHECKPOINT_REJECTED":
                raise
        self.counts["decided"] += 1
        self._tell(f"“{text}”: {'approved' if approved else 'rejected'}, {comment!r}")

    async def _waiting(self, text: str) -> None:
        checkpoint = await self._blocked(text)
        if checkpoint is not None:
            self.counts["waiting"] += 1
            self._tell(f"“{text}”: waits as checkpoint {checkpoint.checkpoint_id[-8:]}")

    async def _blocked(self, text: str) -> Checkpoint | None:
        """The checkpoint that a request runs into; None where it was decided before."""
        try:
            await self._run(text)
        except Problem as problem:
            if problem.block is None:
                return None
            found = problem.block.checkpoints[0].checkpoint_id
            return await get_checkpoint(self._connection, found)
        return None

    async def _run(self, text: str) -> Run | None:
        run = await execute(self._connection, text, Way(request_id=self._id("run", text)))
        self.counts["runs"] += 1
        return run

    def _id(self, *parts: str) -> str:
        return str(uuid5(self._mine, "/".join(("chenu seed", *parts))))
