"""What an executor of somebody's own does not know is settled by a person, and it records that."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import grpc
import jwt
import pytest
from typer.testing import Result

from chenu.governance.v1.authorization_service_pb2 import (
    ActionRequest,
    AuthorizeActionRequest,
    AuthorizeActionResponse,
)
from chenu.governance.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.governance.v1.executor_service_pb2 import (
    ExecuteActionRequest,
    ExecuteActionResponse,
    ListToolsRequest,
)
from chenu.governance.v1.executor_service_pb2_grpc import ExecutorServiceStub
from chenu.governance.v1.outcome_service_pb2 import ReconcileOutcomeRequest
from chenu.governance.v1.outcome_service_pb2_grpc import OutcomeServiceStub
from chenu_gate.action import Action, Principal
from chenu_gate.block import block_of
from chenu_gate.tools import Tool
from kernel.errors import reason_of
from tests.end_to_end.conftest import RunningStack
from tests.end_to_end.typing_chenu import answer
from tests.support.waiting import soon

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/letters/executor.py"
FAILED = ExecutionState.EXECUTION_STATE_FAILED


@dataclass
class Office:
    """The executor's environment and database, and the demo user, who asks it for letters."""

    stack: RunningStack
    environment: dict[str, str]
    database: asyncpg.Connection
    governance: grpc.aio.Channel
    metadata: tuple[tuple[str, str], ...]
    principal: Principal

    @contextmanager
    def process(self, **more: str) -> Iterator[str]:
        """An instance of the executor; where it listens."""
        with subprocess.Popen(
            [sys.executable, EXAMPLE, "serve", "127.0.0.1:0"],
            env=self.environment | more,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            try:
                yield f"127.0.0.1:{process.stdout.readline().split()[-1]}"
            finally:
                process.kill()

    async def ask(self, request: AuthorizeActionRequest) -> AuthorizeActionResponse:
        """Governance's answer to the demo user."""
        stub = AuthorizationServiceStub(self.governance)
        return await stub.AuthorizeAction(request, metadata=self.metadata)

    async def chenu(self, *arguments: str) -> Result:
        """The command, which has a loop of its own."""
        return await asyncio.to_thread(self.stack.chenu, *arguments)

    async def execute(self, address: str, request: AuthorizeActionRequest) -> ExecuteActionResponse:
        """What the executor says, with a permit that is made for it now."""
        permit = (await self.ask(request)).verdict.permit
        async with grpc.aio.insecure_channel(address) as channel:
            return await ExecutorServiceStub(channel).ExecuteAction(
                ExecuteActionRequest(action=request.action.action, permit=permit), timeout=20
            )

    async def recorded(self, decision: str, state: str) -> bool:
        """Whether the executor's own row says so, and governance was told."""
        row = await self.database.fetchrow(
            "SELECT state, reason, reported_at FROM letters.executions WHERE decision_id = $1",
            decision,
        )
        assert row is not None
        return (row["state"], row["reason"]) == (state, "RECONCILED") and bool(row["reported_at"])


@pytest.fixture
async def office(stack: RunningStack, postgres: str, tmp_path: Path) -> AsyncIterator[Office]:
    endpoints = json.loads((stack.folder / "endpoints.json").read_text())
    token = (await asyncio.to_thread(answer, stack, "token"))["token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    admin = await asyncpg.connect(postgres)
    name = f"letters_{uuid4().hex}"
    await admin.execute(f"CREATE DATABASE {name}")
    url = f"{postgres.rpartition('/')[0]}/{name}"
    (tmp_path / "outbox").mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": url,
        "PERMIT_KEYS_URL": f"{endpoints['gateway']}/api/v2/governance/permit-keys",
        "OUTBOX": str(tmp_path / "outbox"),
        "IDENTITY": endpoints["identity"],
        "GOVERNANCE": endpoints["governance"],
        "KEY": str(stack.folder / "keys/letters.pem"),
    }
    async with grpc.aio.insecure_channel(endpoints["governance"]) as governance:
        database = await asyncpg.connect(url)
        yield Office(
            stack, environment, database, governance, (("authorization", f"Bearer {token}"),),
            Principal(claims["tenant"], claims["sub"], claims["identity"]),
        )  # fmt: skip
        await database.close()
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


async def approved(office: Office, tool: Tool) -> tuple[AuthorizeActionRequest, str, str]:
    """A letter that somebody may print: how to ask for it, its checkpoint, its decision."""
    action = Action(
        kind=tool.kind,
        tool=tool.pinned,
        executor="letters",
        principal=office.principal,
        source_sphere="personal",
        arguments={"to": "Ada", "text": "Come to tea."},
    )
    request = AuthorizeActionRequest(
        action=ActionRequest(action=action.canonical(), request_id=str(uuid4()))
    )
    with pytest.raises(grpc.aio.AioRpcError) as blocked:
        await office.ask(request)
    block = block_of(blocked.value)
    assert block is not None
    checkpoint = block.checkpoints[0].checkpoint_id
    assert (await office.chenu("approve", checkpoint)).exit_code == 0
    return request, checkpoint, (await office.ask(request)).verdict.decision.decision_id


async def test_row_25_a_person_settles_an_unknown_outcome_and_the_executor_records_it(
    office: Office,
) -> None:
    with office.process() as healthy:
        async with grpc.aio.insecure_channel(healthy) as channel:
            listed = await ExecutorServiceStub(channel).ListTools(ListToolsRequest())
        tool = Tool.from_definition(listed.tools[0])
        letters = [await approved(office, tool) for _ in range(2)]
        for request, _, _ in letters:
            dies = pytest.raises(grpc.aio.AioRpcError)
            with office.process(CRASH_AFTER_PRINTING="1") as dying, dies:
                await office.execute(dying, request)
        (_, checkpoint, first), (_, _, second) = letters

        # By command and by RPC, as soon as governance knows that nobody knows.
        settle = ("reconcile", checkpoint, "--done")

        async def by_command() -> bool:
            return (await office.chenu(*settle)).exit_code == 0

        await soon(by_command, "the first one is settled")
        by_hand = ReconcileOutcomeRequest(decision_id=second, state=FAILED)

        async def by_rpc() -> bool:
            stub = OutcomeServiceStub(office.governance)
            try:
                await stub.ReconcileOutcome(by_hand, metadata=office.metadata)
            except grpc.aio.AioRpcError as error:
                return reason_of(error) != "OUTCOME_CONFLICT"
            return True

        await soon(by_rpc, "the second one is settled")
        await soon(lambda: office.recorded(first, "SUCCEEDED"), "the executor knows the first end")
        await soon(lambda: office.recorded(second, "FAILED"), "the executor knows the second end")
        assert "succeeded" in (await office.chenu("show", checkpoint)).stdout
        assert (await office.chenu(*settle)).exit_code == 1  # it is known now
