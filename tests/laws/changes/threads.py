"""Changes of threads."""

from uuid import uuid4

from google.protobuf.field_mask_pb2 import FieldMask

from chenu.threads.v1 import message_service_pb2 as messages
from chenu.threads.v1 import thread_event_service_pb2 as events
from chenu.threads.v1 import thread_service_pb2 as threads
from chenu.threads.v1.message_service_pb2_grpc import MessageServiceStub
from chenu.threads.v1.thread_event_pb2 import ThreadEventType
from chenu.threads.v1.thread_event_service_pb2_grpc import ThreadEventServiceStub
from chenu.threads.v1.thread_pb2 import Thread
from chenu_gate.action import Target
from tests.laws.changes.scene import Call, Prepare, Scene
from tests.laws.hands import use


async def create_thread(s: Scene) -> Call:
    request = threads.CreateThreadRequest(title="New", founding_intent="to test")
    return lambda: s.me.threads.CreateThread(request, metadata=s.me.me)


def status(rpc: str, before: str = "") -> Prepare:
    """An RPC that moves a thread to another status; `before` brings it where it must start."""

    async def prepare(s: Scene) -> Call:
        thread_id = await s.me.new_thread("Moved")
        if before:
            first = getattr(threads, f"{before}Request")(thread_id=thread_id)
            await getattr(s.me.threads, before)(first, metadata=s.me.me)
        request = getattr(threads, f"{rpc}Request")(thread_id=thread_id)
        return lambda: getattr(s.me.threads, rpc)(request, metadata=s.me.me)

    return prepare


async def update_thread(s: Scene) -> Call:
    thread_id = await s.me.new_thread("Before")
    read = await s.me.threads.GetThread(
        threads.GetThreadRequest(thread_id=thread_id), metadata=s.me.me
    )
    request = threads.UpdateThreadRequest(
        thread_id=thread_id,
        thread=Thread(title="After"),
        update_mask=FieldMask(paths=["title"]),
        etag=read.thread.etag,
    )
    return lambda: s.me.threads.UpdateThread(request, metadata=s.me.me)


async def append_event(s: Scene) -> Call:
    request = events.AppendThreadEventRequest(
        thread_id=await s.me.new_thread("Noted"), type=ThreadEventType.THREAD_EVENT_TYPE_NOTE_ADDED
    )
    stub = s.stub(ThreadEventServiceStub, "threads")
    return lambda: stub.AppendThreadEvent(request, metadata=s.me.me)


async def record_run(s: Scene) -> Call:
    fact = events.RunFact(
        type=ThreadEventType.THREAD_EVENT_TYPE_CHECKPOINT_TRIGGERED, request_id=str(uuid4())
    )
    request = events.RecordRunRequest(
        thread_id=await s.me.new_thread("Told"), run_id=str(uuid4()), facts=[fact]
    )
    stub, nova = s.stub(ThreadEventServiceStub, "threads"), await s.hands.nova(s.me)
    return lambda: stub.RecordRun(request, metadata=nova)


async def create_message(s: Scene) -> Call:
    request = messages.CreateMessageRequest(
        thread_id=await s.me.new_thread("Said"), content="Something."
    )
    stub = s.stub(MessageServiceStub, "threads")
    return lambda: stub.CreateMessage(request, metadata=s.me.me)


async def execute(s: Scene) -> Call:
    thread_id = await s.me.new_thread("Written to")
    action = use(
        s.me, "thread.append", Target("thread", thread_id), thread=thread_id, content="Done."
    )
    permit = (await s.hands.ask(s.me, action)).permit
    return lambda: s.hands.execute(s.me, action, permit)
