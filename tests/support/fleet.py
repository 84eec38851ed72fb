"""The whole fleet in this process, each service on a free port of its own, nothing played.

fleet = Fleet(environment)            # of deploy.local.provision
await fleet.start()
me = await fleet.register()           # a person with a session
run = await me.execute("Create a thread called “Garden”")
await me.approve(checkpoint_id)
await fleet.stop("nova"); await fleet.start("nova")
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from importlib import import_module
from typing import Any, Final, Self
from unittest.mock import patch
from uuid import uuid4

import grpc

from chenu.courier.v1.delivery_service_pb2_grpc import DeliveryServiceStub
from chenu.courier.v1.endpoint_service_pb2_grpc import EndpointServiceStub
from chenu.governance.v1.checkpoint_pb2 import Checkpoint
from chenu.governance.v1.checkpoint_service_pb2 import (
    ApproveCheckpointRequest,
    GetCheckpointRequest,
    ListCheckpointsRequest,
    RejectCheckpointRequest,
)
from chenu.governance.v1.checkpoint_service_pb2_grpc import CheckpointServiceStub
from chenu.identity.v1.auth_service_pb2 import (
    LoginRequest,
    LoginResponse,
    RegisterRequest,
    RegisterResponse,
)
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from chenu.identity.v1.identity_pb2 import IdentityType
from chenu.identity.v1.identity_service_pb2 import CreateIdentityRequest
from chenu.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from chenu.identity.v1.token_service_pb2 import ExchangeDelegationRequest, IssueVoteTokenRequest
from chenu.identity.v1.token_service_pb2_grpc import TokenServiceStub
from chenu.nova.v1.run_pb2 import Run
from chenu.nova.v1.run_service_pb2 import (
    ContinueRunRequest,
    ExecuteRunRequest,
    GetRunRequest,
    StartRunRequest,
)
from chenu.nova.v1.run_service_pb2_grpc import RunServiceStub
from chenu.threads.v1.message_pb2 import Message
from chenu.threads.v1.message_service_pb2 import CreateMessageRequest, ListMessagesRequest
from chenu.threads.v1.message_service_pb2_grpc import MessageServiceStub
from chenu.threads.v1.thread_event_pb2 import ThreadEvent
from chenu.threads.v1.thread_event_service_pb2 import ListThreadEventsRequest
from chenu.threads.v1.thread_event_service_pb2_grpc import ThreadEventServiceStub
from chenu.threads.v1.thread_service_pb2 import CreateThreadRequest, ListThreadsRequest
from chenu.threads.v1.thread_service_pb2_grpc import ThreadServiceStub
from kernel.service import Program, Service
from kernel.settings import SharedSettings, load
from services.governance.__main__ import assemble as assemble_governance
from services.governance.clock import Clock
from tests.support.identity import Metadata, bearer

ORDER: Final = ("identity", "threads", "courier", "governance", "audit", "llm", "nova", "gateway")
PASSWORD: Final = "long-enough-1"


def program(name: str) -> Program[Any]:
    """The program of a service."""
    found: Program[Any] = import_module(f"services.{name}.__main__").PROGRAM
    return found


class Fleet:
    """The services that run, and channels to them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self.services: dict[str, Service[Any]] = {}
        self.clock = Clock()
        """Governance's; a test may move it, and sets it back."""
        self._channels: dict[str, grpc.aio.Channel] = {}

    async def __aenter__(self) -> Self:
        await self.start(*ORDER)
        return self

    async def __aexit__(self, *_: object) -> None:
        for channel in self._channels.values():
            await channel.close()
        await self.stop(*reversed(self.services))

    async def start(self, *names: str, **changes: str) -> None:
        """Start services; `changes` are further variables of their environment."""
        for name in names:
            with patch.dict(os.environ, self._environment | changes, clear=True):
                shared, settings = load(SharedSettings, program(name).settings_class)
            found = program(name)
            if name == "governance":
                self.clock.offset = timedelta(seconds=settings.clock_offset_seconds)
                started_with = partial(assemble_governance, clock=self.clock)
                found = Program(name, found.settings_class, started_with)
            self.services[name] = await Service.start(found, shared, settings)

    async def stop(self, *names: str) -> None:
        """Stop services."""
        for name in names:
            await self.services.pop(name).stop()

    def address(self, service: str) -> str:
        """Where a service listens, or would."""
        return self._environment[f"CHENU_{service.upper()}_ADDRESS"]

    def channel(self, service: str) -> grpc.aio.Channel:
        """A bare channel: nothing is passed on or repeated."""
        if service not in self._channels:
            self._channels[service] = grpc.aio.insecure_channel(self.address(service))
        return self._channels[service]

    async def register(self, name: str = "Somebody") -> "Client":
        """A new person, logged in."""
        answer = await AuthServiceStub(self.channel("identity")).Register(
            RegisterRequest(email=f"{uuid4()}@chenu.example", password=PASSWORD, display_name=name)
        )
        return Client(self, answer)


@dataclass
class Client:
    """One person's view of the fleet, with the tokens that the person has."""

    fleet: Fleet
    session: RegisterResponse | LoginResponse
    _delegation: str = field(default="", init=False)

    @property
    def identity_id(self) -> str:
        """The identity that the person acts under."""
        return self.session.session.identity.identity_id

    @property
    def me(self) -> Metadata:
        """The access token."""
        return bearer(self.session.access_token)

    async def another(self, name: str) -> "Client":
        """The same person, logged in under another identity that is called so."""
        channel = self.fleet.channel("identity")
        made = await IdentityServiceStub(channel).CreateIdentity(
            CreateIdentityRequest(type=IdentityType.IDENTITY_TYPE_ENTERPRISE, display_name=name),
            metadata=self.me,
        )
        request = LoginRequest(
            email=self.session.session.user.email,
            password=PASSWORD,
            identity_id=made.identity.identity_id,
        )
        return Client(self.fleet, await AuthServiceStub(channel).Login(request))

    async def nova(self) -> Metadata:
        """The delegation, exchanged once."""
        if not self._delegation:
            answer = await TokenServiceStub(self.fleet.channel("identity")).ExchangeDelegation(
                ExchangeDelegationRequest(), metadata=self.me
            )
            self._delegation = answer.delegation_token
        return bearer(self._delegation)

    @property
    def runs(self) -> RunServiceStub:
        return RunServiceStub(self.fleet.channel("nova"))

    @property
    def threads(self) -> ThreadServiceStub:
        return ThreadServiceStub(self.fleet.channel("threads"))

    @property
    def checkpoints(self) -> CheckpointServiceStub:
        return CheckpointServiceStub(self.fleet.channel("governance"))

    @property
    def endpoints(self) -> EndpointServiceStub:
        return EndpointServiceStub(self.fleet.channel("courier"))

    @property
    def deliveries(self) -> DeliveryServiceStub:
        return DeliveryServiceStub(self.fleet.channel("courier"))

    async def execute(self, text: str, **fields: Any) -> Run:
        """Run a request and wait; raises what the RPC raises."""
        request = ExecuteRunRequest(text=text, **fields)
        answer = await self.runs.ExecuteRun(request, metadata=await self.nova(), timeout=30)
        run: Run = answer.run
        return run

    async def begin(self, text: str, **fields: Any) -> Run:
        """Start a request and do not wait."""
        request = StartRunRequest(text=text, **fields)
        answer = await self.runs.StartRun(request, metadata=await self.nova(), timeout=30)
        run: Run = answer.run
        return run

    async def go_on(self, run_id: str) -> Run:
        """Wait for a run; raises what the RPC raises."""
        answer = await self.runs.ContinueRun(
            ContinueRunRequest(run_id=run_id), metadata=await self.nova(), timeout=30
        )
        run: Run = answer.run
        return run

    async def run(self, run_id: str) -> Run:
        """A run as it stands."""
        answer = await self.runs.GetRun(GetRunRequest(run_id=run_id), metadata=await self.nova())
        run: Run = answer.run
        return run

    async def checkpoint(self, checkpoint_id: str) -> Checkpoint:
        """A checkpoint as it stands."""
        answer = await self.checkpoints.GetCheckpoint(
            GetCheckpointRequest(checkpoint_id=checkpoint_id), metadata=self.me
        )
        checkpoint: Checkpoint = answer.checkpoint
        return checkpoint

    async def inbox(self) -> list[Checkpoint]:
        """What waits for this person."""
        answer = await self.checkpoints.ListCheckpoints(ListCheckpointsRequest(), metadata=self.me)
        return list(answer.checkpoints)

    async def vote_token(self, checkpoint_id: str, etag: str) -> Metadata:
        """A token for one vote, bought with the session secret."""
        answer = await TokenServiceStub(self.fleet.channel("identity")).IssueVoteToken(
            IssueVoteTokenRequest(
                session_secret=self.session.session_secret,
                checkpoint_id=checkpoint_id,
                view_digest=etag,
            )
        )
        return bearer(answer.vote_token)

    async def approve(self, checkpoint_id: str, comment: str = "") -> Checkpoint:
        """Look at a checkpoint and approve what was seen."""
        etag = (await self.checkpoint(checkpoint_id)).etag
        answer = await self.checkpoints.ApproveCheckpoint(
            ApproveCheckpointRequest(checkpoint_id=checkpoint_id, etag=etag, comment=comment),
            metadata=await self.vote_token(checkpoint_id, etag),
        )
        checkpoint: Checkpoint = answer.checkpoint
        return checkpoint

    async def reject(self, checkpoint_id: str, comment: str = "") -> Checkpoint:
        """Look at a checkpoint and reject it."""
        etag = (await self.checkpoint(checkpoint_id)).etag
        answer = await self.checkpoints.RejectCheckpoint(
            RejectCheckpointRequest(checkpoint_id=checkpoint_id, etag=etag, comment=comment),
            metadata=await self.vote_token(checkpoint_id, etag),
        )
        checkpoint: Checkpoint = answer.checkpoint
        return checkpoint

    async def new_thread(self, title: str, **fields: Any) -> str:
        """A thread that the person founded directly."""
        answer = await self.threads.CreateThread(
            CreateThreadRequest(title=title, founding_intent="to test", **fields),
            metadata=self.me,
        )
        thread_id: str = answer.thread.thread_id
        return thread_id

    async def history(self, thread_id: str) -> list[ThreadEvent]:
        """What happened in a thread, in order."""
        answer = await ThreadEventServiceStub(self.fleet.channel("threads")).ListThreadEvents(
            ListThreadEventsRequest(thread_id=thread_id), metadata=self.me
        )
        return list(answer.events)

    async def messages(self, thread_id: str) -> list[Message]:
        """What was said in a thread, in order."""
        answer = await MessageServiceStub(self.fleet.channel("threads")).ListMessages(
            ListMessagesRequest(thread_id=thread_id), metadata=self.me
        )
        return list(answer.messages)

    async def say(self, thread_id: str, content: str = "Wait, there is more.") -> None:
        """A message in a thread, which changes it."""
        await MessageServiceStub(self.fleet.channel("threads")).CreateMessage(
            CreateMessageRequest(thread_id=thread_id, content=content), metadata=self.me
        )

    async def titles(self) -> list[str]:
        """The titles of the person's threads."""
        answer = await self.threads.ListThreads(ListThreadsRequest(), metadata=self.me)
        return [thread.title for thread in answer.threads]
