"""Runs, and what they ask of the model."""

from typing import Any
from uuid import uuid4

from chenu.llm.v1 import completion_service_pb2 as completions
from chenu.llm.v1.completion_pb2 import ContentBlock, Role, TextBlock, Turn
from chenu.llm.v1.completion_service_pb2_grpc import CompletionServiceStub
from chenu.nova.v1 import run_service_pb2 as runs
from tests.laws.changes.scene import Call, Scene, whole
from tests.laws.stories import doomed


async def execute_run(s: Scene) -> Call:
    request = runs.ExecuteRunRequest(text="What is a thread?", request_id=str(uuid4()))
    metadata = await s.me.nova()
    return lambda: s.me.runs.ExecuteRun(request, metadata=metadata, timeout=20)


async def start_run(s: Scene) -> Call:
    request = runs.StartRunRequest(text="What is a thread?")
    metadata = await s.me.nova()
    return lambda: s.me.runs.StartRun(request, metadata=metadata)


async def stream_run(s: Scene) -> Call:
    request = runs.StreamRunRequest(text="What is a thread?")
    metadata = await s.me.nova()
    return lambda: whole(s.me.runs.StreamRun(request, metadata=metadata, timeout=20))


async def cancel_run(s: Scene) -> Call:
    run_id, _ = await doomed(s.me)
    metadata = await s.me.nova()
    request = runs.CancelRunRequest(run_id=run_id)
    return lambda: s.me.runs.CancelRun(request, metadata=metadata)


def a_question() -> Any:
    turn = Turn(role="user", content=[ContentBlock(text=TextBlock(text="What is a thread?"))])
    return completions.CompleteRequest(role=Role.ROLE_NOVA, turns=[turn])


async def complete(s: Scene) -> Call:
    stub, metadata = s.stub(CompletionServiceStub, "llm"), await s.hands.nova(s.me)
    return lambda: stub.Complete(a_question(), metadata=metadata)


async def stream_complete(s: Scene) -> Call:
    stub, metadata = s.stub(CompletionServiceStub, "llm"), await s.hands.nova(s.me)
    request = completions.StreamCompleteRequest(request=a_question())
    return lambda: whole(stub.StreamComplete(request, metadata=metadata))
