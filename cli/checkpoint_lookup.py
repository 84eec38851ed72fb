"""Finding a checkpoint by what a person types."""

from chenu.governance.v1.checkpoint_service_pb2 import ListCheckpointsRequest
from chenu.governance.v1.checkpoint_service_pb2_grpc import CheckpointServiceStub
from cli.connection import Connection
from cli.identifiers import every, resolve


async def checkpoint_id(connection: Connection, typed: str) -> str:
    """The id of the checkpoint that was meant."""
    stub = connection.stub(CheckpointServiceStub)
    request = ListCheckpointsRequest(all_states=True, page_size=200)
    known = every(stub.ListCheckpoints, request, "checkpoints", lambda one: str(one.question))
    return await resolve(typed, "checkpoint", known)
