"""Finding a run by what a person types."""

from chenu.nova.v1.run_service_pb2 import ListRunsRequest
from chenu.nova.v1.run_service_pb2_grpc import RunServiceStub
from cli.connection import Connection
from cli.identifiers import every, resolve


async def run_id(connection: Connection, typed: str) -> str:
    """The id of the run that was meant."""
    stub = connection.stub(RunServiceStub)
    known = every(stub.ListRuns, ListRunsRequest(page_size=200), "runs", lambda one: str(one.text))
    return await resolve(typed, "run", known)
