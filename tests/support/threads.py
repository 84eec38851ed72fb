"""The threads service as its tests talk to it: stubs, people, and permitted actions."""

import json
from typing import Any
from uuid import uuid4

import asyncpg
import grpc

from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.governance.v1.executor_service_pb2 import ExecuteActionRequest, ExecuteActionResponse
from chenu.governance.v1.executor_service_pb2_grpc import ExecutorServiceStub
from chenu.threads.v1.message_service_pb2_grpc import MessageServiceStub
from chenu.threads.v1.thread_event_service_pb2_grpc import ThreadEventServiceStub
from chenu.threads.v1.thread_pb2 import Thread
from chenu.threads.v1.thread_service_pb2 import CreateThreadRequest, GetThreadRequest
from chenu.threads.v1.thread_service_pb2_grpc import ThreadServiceStub
from chenu_gate.action import Action, Principal, Target
from services.threads.tools import TOOLBOX
from services.threads.words import SPHERES
from tests.support.governance import StandInGovernance
from tests.support.identity import Metadata, Person, StandInIdentity


class ThreadsClient:
    """All stubs of the service on one channel, and what tests do again and again."""

    def __init__(
        self, channel: grpc.aio.Channel, identity: StandInIdentity, governance: StandInGovernance
    ) -> None:
        self.threads = ThreadServiceStub(channel)
        self.messages = MessageServiceStub(channel)
        self.events = ThreadEventServiceStub(channel)
        self.executor = ExecutorServiceStub(channel)
        self.identity, self.governance = identity, governance

    async def found(self, person: Person, title: str = "A thread", **fields: Any) -> Thread:
        """A new thread of the person's."""
        request = CreateThreadRequest(title=title, **{"founding_intent": "to be", **fields})
        made = await self.threads.CreateThread(request, metadata=self.identity.as_human(person))
        return made.thread

    async def get(self, person: Person, thread_id: str) -> Thread:
        """The thread as the person sees it now."""
        request = GetThreadRequest(thread_id=thread_id)
        read = await self.threads.GetThread(request, metadata=self.identity.as_human(person))
        return read.thread

    def action(
        self,
        person: Person,
        tool: str,
        thread: Thread | None = None,
        *,
        agent: str = "",
        **arguments: Any,
    ) -> Action:
        """What Nova would plan: the tool on the thread as it is there."""
        definition = TOOLBOX.tools[tool]
        sphere = SPHERES.word(thread.sphere) if thread else "personal"
        targets: tuple[Target, ...] = ()
        if thread is not None:
            arguments = {"thread": thread.thread_id, **arguments}
            version = "" if definition.target_arguments[0].any_version else thread.etag
            targets = (Target("thread", thread.thread_id, version, thread.title),)
        if "identity" in arguments:
            targets = (*targets, Target("identity", str(arguments["identity"])))
        return Action(
            kind=definition.kind,
            tool=definition.pinned,
            executor="threads",
            principal=Principal(person.tenant, person.person, person.identity, agent),
            source_sphere=sphere,
            target_sphere=str(arguments.get("sphere", sphere)),
            targets=targets,
            arguments=arguments,
            thread="",
            run=str(uuid4()),
        )

    async def execute(
        self,
        person: Person,
        action: Action,
        permit: str = "",
        *,
        metadata: Metadata | None = None,
    ) -> ExecuteActionResponse:
        """Have Nova execute the action, with a permit of a new decision unless one is given."""
        metadata = metadata or self.identity.as_nova(person, action.principal.agent)
        permit = permit or self.governance.permit(action)
        return await self.execute_bytes(action.canonical(), permit, metadata)

    async def execute_bytes(
        self, data: bytes, permit: str, metadata: Metadata
    ) -> ExecuteActionResponse:
        """Have these bytes executed, whatever they are."""
        request = ExecuteActionRequest(action=data, permit=permit)
        return await self.executor.ExecuteAction(request, metadata=metadata)


def result(answer: ExecuteActionResponse) -> dict[str, Any]:
    """What an executed action came to."""
    assert answer.state == ExecutionState.EXECUTION_STATE_SUCCEEDED
    read: dict[str, Any] = json.loads(answer.result)
    return read


TOOL_CALLS: dict[str, dict[str, Any]] = {
    "thread.create": {"title": "T", "founding_intent": "I"},
    "thread.append": {"content": "C"},
    "thread.search": {"query": "T"},
    "thread.archive": {},
    "thread.delete": {},
    "thread.transfer": {"sphere": "social"},
    "thread.export": {},
    "thread.share": {"identity": "01a00000-0000-7000-8000-000000000000"},
}


async def planned(client: ThreadsClient, person: Person, tool: str) -> tuple[Thread, Action]:
    """A new thread of the person's, and the tool used on it (or on none)."""
    thread = await client.found(person, "T")
    on = None if tool in ("thread.create", "thread.search") else thread
    return thread, client.action(person, tool, on, **TOOL_CALLS[tool])


async def counts(superuser: asyncpg.Connection, person: Person) -> Any:
    """How many rows of each kind are the person's."""
    return await superuser.fetchrow(
        """SELECT
            (SELECT count(*) FROM threads.threads WHERE owner_identity = $1) AS threads,
            (SELECT count(*) FROM threads.thread_events WHERE identity = $1) AS events,
            (SELECT count(*) FROM threads.messages WHERE identity = $1) AS messages,
            (SELECT count(*) FROM threads.executions WHERE identity = $1) AS executions,
            (SELECT count(*) FROM threads.outbox
                WHERE convert_from(event, 'UTF8')::jsonb ->> 'identity' = $1::text) AS audited
        """,
        person.identity,
    )
