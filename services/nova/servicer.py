"""RPC in, one use case, RPC out."""

from collections.abc import AsyncIterator
from typing import Any

from chenu.nova.v1 import run_service_pb2 as pb
from chenu.nova.v1.run_service_pb2_grpc import RunServiceServicer
from kernel.context import current
from services.nova.runs import Runs


class RunServicer(RunServiceServicer):
    """Serves chenu.nova.v1.RunService."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    async def ExecuteRun(self, request: pb.ExecuteRunRequest, _: Any) -> pb.ExecuteRunResponse:
        caller = current().caller
        run_id = await self._runs.start(caller, request)
        return pb.ExecuteRunResponse(run=await self._runs.settled(caller, run_id))

    async def StartRun(self, request: pb.StartRunRequest, _: Any) -> pb.StartRunResponse:
        caller = current().caller
        run_id = await self._runs.start(caller, request)
        return pb.StartRunResponse(run=await self._runs.get(caller, run_id))

    async def ContinueRun(self, request: pb.ContinueRunRequest, _: Any) -> pb.ContinueRunResponse:
        run = await self._runs.go_on(current().caller, request.run_id)
        return pb.ContinueRunResponse(run=run)

    async def GetRun(self, request: pb.GetRunRequest, _: Any) -> pb.GetRunResponse:
        return pb.GetRunResponse(run=await self._runs.get(current().caller, request.run_id))

    async def ListRuns(self, request: pb.ListRunsRequest, _: Any) -> pb.ListRunsResponse:
        runs, token, total = await self._runs.list(current().caller, request)
        return pb.ListRunsResponse(runs=runs, next_page_token=token, total_size=total)

    async def CancelRun(self, request: pb.CancelRunRequest, _: Any) -> pb.CancelRunResponse:
        run = await self._runs.cancel(current().caller, request.run_id, request.reason)
        return pb.CancelRunResponse(run=run)

    async def WatchRun(
        self, request: pb.WatchRunRequest, _: Any
    ) -> AsyncIterator[pb.WatchRunResponse]:
        events = self._runs.watch(current().caller, request.run_id, request.after_sequence)
        async for event, sequence, run in events:
            yield pb.WatchRunResponse(event=event, sequence_number=sequence, run=run)

    async def StreamRun(
        self, request: pb.StreamRunRequest, _: Any
    ) -> AsyncIterator[pb.StreamRunResponse]:
        caller = current().caller
        run_id = await self._runs.start(caller, request)
        async for event, sequence, run in self._runs.watch(caller, run_id, request.after_sequence):
            yield pb.StreamRunResponse(
                run_id=run_id, event=event, sequence_number=sequence, run=run
            )

    async def ClassifyIntent(
        self, request: pb.ClassifyIntentRequest, _: Any
    ) -> pb.ClassifyIntentResponse:
        return pb.ClassifyIntentResponse(intent=self._runs.classify(request.text))
