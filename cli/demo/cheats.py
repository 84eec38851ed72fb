"""Ways around the checkpoint that people and programs try, each through the front door."""

from dataclasses import dataclass, replace
from uuid import uuid4

from chenu.governance.v1.authorization_service_pb2 import ActionRequest, AuthorizeActionRequest
from chenu.governance.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from chenu.governance.v1.checkpoint_pb2 import Checkpoint
from chenu.governance.v1.checkpoint_service_pb2 import ApproveCheckpointRequest
from chenu.governance.v1.checkpoint_service_pb2_grpc import CheckpointServiceStub
from chenu.governance.v1.executor_service_pb2 import (
    ExecuteActionRequest,
    ExecuteActionResponse,
    ListToolsRequest,
)
from chenu.governance.v1.executor_service_pb2_grpc import ExecutorServiceStub
from chenu.threads.v1.thread_service_pb2 import ListThreadsRequest
from chenu.threads.v1.thread_service_pb2_grpc import ThreadServiceStub
from chenu_gate.action import Action, Principal
from chenu_gate.tools import Tool
from cli.agents import agent_token, hire_agent
from cli.connection import Connection

STALE = "sha256:" + "0" * 64


@dataclass(frozen=True)
class Permitted:
    """An action that may run now, and the permit that says so."""

    action: Action
    permit: str


async def vote_with(connection: Connection, token: str, checkpoint: Checkpoint) -> object:
    """Approve with a token that is no vote token."""
    stub = connection.stub(CheckpointServiceStub, token=token)
    request = ApproveCheckpointRequest(checkpoint_id=checkpoint.checkpoint_id, etag=checkpoint.etag)
    return await stub.ApproveCheckpoint(request)


async def vote_as_agent(connection: Connection, checkpoint: Checkpoint) -> object:
    """Hire an agent, and have it approve what it may have asked for."""
    hired = await hire_agent(connection, f"Filer {uuid4().hex[:4]}")
    token = await agent_token(connection, hired.agent.agent_id, hired.secret)
    return await vote_with(connection, token, checkpoint)


async def vote_with_access_token(connection: Connection, checkpoint: Checkpoint) -> object:
    """Approve with the token that every program of the person holds."""
    return await vote_with(connection, await connection.credentials.access_token(), checkpoint)


async def permit_to_create(connection: Connection, title: str) -> Permitted:
    """Ask governance for something harmless, as any service would; it is allowed at once."""
    session = connection.credentials.file.load()
    executor = connection.stub(ExecutorServiceStub, at="threads")
    tools = {tool.name: tool for tool in (await executor.ListTools(ListToolsRequest())).tools}
    action = Action(
        kind=Tool.from_definition(tools["thread.create"]).kind,
        tool=Tool.from_definition(tools["thread.create"]).pinned,
        executor="threads",
        principal=Principal(session.tenant_id, session.user_id, session.identity_id),
        source_sphere="personal",
        target_sphere="personal",
        arguments={"title": title, "founding_intent": "Asked for without Nova"},
    )
    request = ActionRequest(action=action.canonical(), request_id=str(uuid4()))
    stub = connection.stub(AuthorizationServiceStub)
    answer = await stub.AuthorizeAction(AuthorizeActionRequest(action=request))
    return Permitted(action, answer.verdict.permit)


async def run_with(
    connection: Connection, permitted: Permitted, at: str = "threads"
) -> ExecuteActionResponse:
    """Have an executor do it."""
    request = ExecuteActionRequest(action=permitted.action.canonical(), permit=permitted.permit)
    return await connection.stub(ExecutorServiceStub, at=at).ExecuteAction(request)


async def run_altered(connection: Connection, permitted: Permitted) -> ExecuteActionResponse:
    """Have it do something a little different with the same permit."""
    arguments = {**permitted.action.document()["arguments"], "title": "Something else"}
    return await run_with(
        connection, replace(permitted, action=replace(permitted.action, arguments=arguments))
    )


async def threads_called(connection: Connection, title: str) -> list[str]:
    """Ids of the threads with that title."""
    stub = connection.stub(ThreadServiceStub)
    answer = await stub.ListThreads(ListThreadsRequest(title_contains=title, page_size=200))
    return [thread.thread_id for thread in answer.threads]
