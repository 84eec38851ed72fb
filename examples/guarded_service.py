"""A service of your own that asks governance before it acts, and acts once.

    chenu up --detach
    python examples/guarded_service.py [STATE_FOLDER]

It prints letters. Printing is an action of a kind that no rule allows, so a person decides. The
permit is checked offline by `chenu_gate`; a decision is used up in the same transaction as the
effect, here in SQLite, so that the letter is printed once however often somebody asks.
"""

import asyncio
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc

from chenu.governance.v1.authorization_service_pb2 import (
    ActionRequest,
    AuthorizeActionRequest,
    GetPermitKeySetRequest,
)
from chenu.governance.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from chenu.governance.v1.checkpoint_pb2 import CheckpointBlock
from chenu.governance.v1.checkpoint_service_pb2 import ApproveCheckpointRequest
from chenu.governance.v1.checkpoint_service_pb2_grpc import CheckpointServiceStub
from chenu.identity.v1.auth_service_pb2 import LoginRequest, LoginResponse
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from chenu.identity.v1.token_service_pb2 import IssueVoteTokenRequest
from chenu.identity.v1.token_service_pb2_grpc import TokenServiceStub
from chenu_gate.action import Action, ActionKind, Principal
from chenu_gate.block import block_of
from chenu_gate.gatekeeper import Gatekeeper
from chenu_gate.tools import Tool, Toolbox

PRINT_LETTER = Tool.declare(
    name="letter.print",
    description="Prints a letter on the office printer.",
    input_schema={
        "type": "object",
        "properties": {"text": {"type": "string", "minLength": 1, "maxLength": 10_000}},
        "required": ["text"],
        "additionalProperties": False,
    },
    kind=ActionKind.EXECUTE,
    executor="printer",
)


class Printer:
    """The service: it does what a permit says, once."""

    def __init__(self, governance: AuthorizationServiceStub, done: sqlite3.Connection) -> None:
        self._governance = governance
        self._gate = Gatekeeper("printer", Toolbox([PRINT_LETTER]), self._permit_keys)
        self._done = done
        self._done.execute("CREATE TABLE printed (decision TEXT PRIMARY KEY, text TEXT)")

    async def print_letter(self, action: bytes, permit: str, asker: Principal) -> str:
        """Raises PermitRefused for any permit that is not for exactly this."""
        permitted = await self._gate.admit(permit, action, asker=asker)
        text = str(permitted.action.arguments["text"])
        with self._done:
            self._done.execute("BEGIN")
            try:
                self._done.execute(
                    "INSERT INTO printed VALUES (?, ?)", (permitted.permit.decision, text)
                )
            except sqlite3.IntegrityError:
                return "printed before; nothing is printed twice"
            return f"printed: {text}"

    async def _permit_keys(self) -> str:
        answer = await self._governance.GetPermitKeySet(GetPermitKeySetRequest())
        return answer.jwks


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """The metadata that carries a token."""
    return (("authorization", f"Bearer {token}"),)


async def main(state: Path) -> None:
    """Ask, be stopped, have it approved, ask again with the same request id, print."""
    endpoints = json.loads((state / "endpoints.json").read_text())
    async with (
        grpc.aio.insecure_channel(endpoints["identity"]) as identity,
        grpc.aio.insecure_channel(endpoints["governance"]) as governance,
    ):
        session = await log_in(identity, endpoints["demo_user"])
        me = session.session
        asker = Principal(me.user.tenant_id, me.user.user_id, me.identity.identity_id)
        action = Action(
            kind=PRINT_LETTER.kind,
            tool=PRINT_LETTER.pinned,
            executor="printer",
            principal=asker,
            source_sphere="personal",
            arguments={"text": "Dear neighbour, the garden is open on Saturday."},
        ).canonical()
        request = AuthorizeActionRequest(
            action=ActionRequest(action=action, request_id=str(uuid4()))
        )
        authorization = AuthorizationServiceStub(governance)
        as_me = bearer(session.access_token)
        try:
            answer = await authorization.AuthorizeAction(request, metadata=as_me)
        except grpc.aio.AioRpcError as error:
            block = block_of(error)
            if block is None:
                raise
            print(error.code().name, "-", block.checkpoints[0].question)
            await approve(identity, governance, session, block)
            answer = await authorization.AuthorizeAction(request, metadata=as_me)
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as done:
            printer = Printer(authorization, done)
            for _ in range(2):
                print(await printer.print_letter(action, answer.verdict.permit, asker))


async def log_in(identity: grpc.aio.Channel, user: dict[str, Any]) -> LoginResponse:
    """The demo user's session."""
    request = LoginRequest(email=user["email"], password=user["password"])
    return await AuthServiceStub(identity).Login(request)


async def approve(
    identity: grpc.aio.Channel,
    governance: grpc.aio.Channel,
    session: LoginResponse,
    block: CheckpointBlock,
) -> None:
    """What a person does with `chenu show` and `chenu approve`."""
    waiting = block.checkpoints[0]
    vote = await TokenServiceStub(identity).IssueVoteToken(
        IssueVoteTokenRequest(
            session_secret=session.session_secret,
            checkpoint_id=waiting.checkpoint_id,
            view_digest=waiting.view_digest,
        )
    )
    await CheckpointServiceStub(governance).ApproveCheckpoint(
        ApproveCheckpointRequest(checkpoint_id=waiting.checkpoint_id, etag=waiting.view_digest),
        metadata=bearer(vote.vote_token),
    )


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".chenu")))
