"""Following a run: its events as they happen, across streams, to its end."""

from collections.abc import AsyncIterator, Collection

from rich.text import Text

from chenu.nova.v1.run_pb2 import Run
from chenu.nova.v1.run_service_pb2 import GetRunRequest, WatchRunRequest, WatchRunResponse
from chenu.nova.v1.run_service_pb2_grpc import RunServiceStub
from cli.connection import Connection
from cli.here import Here, as_json
from cli.rendering import safe, state, word
from cli.run_view import ENDED, exit_code, run_view


async def get_run(connection: Connection, run_id: str) -> Run:
    """A run as it stands."""
    stub = connection.stub(RunServiceStub)
    return (await stub.GetRun(GetRunRequest(run_id=run_id))).run


async def run_events(connection: Connection, run_id: str) -> AsyncIterator[WatchRunResponse]:
    """Every event of a run until it has ended, heartbeats left out.

    A stream has a bounded life, and a service may be started again meanwhile.
    """
    stub, after = connection.stub(RunServiceStub), 0
    while True:
        request = WatchRunRequest(run_id=run_id, after_sequence=after)
        async for answer in stub.WatchRun(request):
            after = max(after, answer.sequence_number)
            if answer.HasField("event"):
                yield answer
        if word(await get_run(connection, run_id), "state") in ENDED:
            return


async def follow_run(
    here: Here, run_id: str, *, past_checkpoints: Collection[str] | None = None
) -> int:
    """Print a run's events and then the run; the exit code that its end means.

    With `past_checkpoints`, it also ends when the run waits for another one than those.
    """
    async for answer in run_events(here.connection, run_id):
        if here.json:
            here.write(as_json(answer), lines=True)
        here.tell(_line(answer))
        if past_checkpoints is not None and answer.event.type == "pipeline.blocked":
            run = await get_run(here.connection, run_id)
            waiting = {one.checkpoint_id for one in run.block.checkpoints}
            if word(run, "state") == "blocked" and waiting - set(past_checkpoints):
                break
    run = await get_run(here.connection, run_id)
    here.tell(run_view(run))
    return exit_code(run)


def _line(answer: WatchRunResponse) -> Text:
    event = answer.event
    lane = f"{word(event, 'lane')} {event.round or ''}".strip()
    return Text.assemble(
        (f"{event.sequence_number:>4}  ", "dim"),
        f"{event.type:<22} {lane:<14} ",
        state(word(event, "state")),
        f"  {safe(event.summary)}",
    )
