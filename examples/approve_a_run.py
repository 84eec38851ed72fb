"""A gRPC client: ask Nova, be stopped, look at what would run, approve it, go on.

    chenu up --detach
    python examples/approve_a_run.py [STATE_FOLDER]

It logs in as the stack's demo user and plays both parts. In real life the one who approves is a
person with a client of their own: nothing but the session secret of a log-in buys a vote.
"""

import asyncio
import json
import sys
from pathlib import Path

import grpc

from chenu.governance.v1.checkpoint_pb2 import CheckpointBlock
from chenu.governance.v1.checkpoint_service_pb2 import (
    ApproveCheckpointRequest,
    GetCheckpointRequest,
)
from chenu.governance.v1.checkpoint_service_pb2_grpc import CheckpointServiceStub
from chenu.identity.v1.auth_service_pb2 import LoginRequest
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from chenu.identity.v1.token_service_pb2 import ExchangeDelegationRequest, IssueVoteTokenRequest
from chenu.identity.v1.token_service_pb2_grpc import TokenServiceStub
from chenu.nova.v1.run_service_pb2 import ContinueRunRequest, ExecuteRunRequest
from chenu.nova.v1.run_service_pb2_grpc import RunServiceStub
from chenu_gate.block import block_of


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """The metadata that carries a token."""
    return (("authorization", f"Bearer {token}"),)


async def main(state: Path) -> None:
    """The story from log-in to the end of the run."""
    endpoints = json.loads((state / "endpoints.json").read_text())
    channels = {
        name: grpc.aio.insecure_channel(endpoints[name])
        for name in ("identity", "nova", "governance")
    }
    user = endpoints["demo_user"]
    session = await AuthServiceStub(channels["identity"]).Login(
        LoginRequest(email=user["email"], password=user["password"])
    )
    tokens = TokenServiceStub(channels["identity"])
    # Nova takes a delegation: a token that works only in Nova's hands and can never vote.
    delegation = await tokens.ExchangeDelegation(
        ExchangeDelegationRequest(), metadata=bearer(session.access_token)
    )
    nova = RunServiceStub(channels["nova"])
    as_me = bearer(delegation.delegation_token)
    await nova.ExecuteRun(
        ExecuteRunRequest(text='Create a thread called "Draft of the example"'), metadata=as_me
    )
    block = CheckpointBlock()
    try:
        await nova.ExecuteRun(
            ExecuteRunRequest(text='Delete the thread "Draft of the example"'), metadata=as_me
        )
    except grpc.aio.AioRpcError as error:
        block = block_of(error) or block
        print(error.code().name, "-", error.details())
    for waiting in block.checkpoints:
        governance = CheckpointServiceStub(channels["governance"])
        found = await governance.GetCheckpoint(
            GetCheckpointRequest(checkpoint_id=waiting.checkpoint_id),
            metadata=bearer(session.access_token),
        )
        print(found.checkpoint.question)
        vote = await tokens.IssueVoteToken(
            IssueVoteTokenRequest(
                session_secret=session.session_secret,
                checkpoint_id=waiting.checkpoint_id,
                view_digest=found.checkpoint.etag,  # exactly the view that was looked at
            )
        )
        await governance.ApproveCheckpoint(
            ApproveCheckpointRequest(
                checkpoint_id=waiting.checkpoint_id, etag=found.checkpoint.etag, comment="Yes"
            ),
            metadata=bearer(vote.vote_token),
        )
    ended = await nova.ContinueRun(ContinueRunRequest(run_id=block.run_id), metadata=as_me)
    print(ended.run.answer)
    for channel in channels.values():
        await channel.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".chenu")))
