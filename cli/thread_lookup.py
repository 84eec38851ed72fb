"""Finding a thread by what a person types: its id, an end of it, or its title."""

from collections.abc import AsyncIterator

from chenu.threads.v1.thread_pb2 import ThreadStatus
from chenu.threads.v1.thread_service_pb2 import ListThreadsRequest
from chenu.threads.v1.thread_service_pb2_grpc import ThreadServiceStub
from cli.connection import Connection
from cli.identifiers import every, resolve


async def thread_id(connection: Connection, typed: str) -> str:
    """The id of the thread that was meant, archived or not."""
    return await resolve(typed, "thread", _threads(connection), by_name=True)


async def _threads(connection: Connection) -> AsyncIterator[tuple[str, str]]:
    stub = connection.stub(ThreadServiceStub)
    for status in (
        ThreadStatus.THREAD_STATUS_UNSPECIFIED,
        ThreadStatus.THREAD_STATUS_ARCHIVED,
    ):
        request = ListThreadsRequest(page_size=200, status=status)
        async for known in every(stub.ListThreads, request, "threads", lambda one: str(one.title)):
            yield known
