"""Watch streams as server-sent events: resumable by id, silent only as comments."""

import json
from collections.abc import AsyncIterator
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from starlette.responses import StreamingResponse

from kernel.errors import InvalidArgument
from services.gateway.problems import from_rpc
from services.gateway.transcoding import response_json

SECONDS: Final = 3600.0
"""How long one may take; the services end theirs long before."""
CURSORS: Final = ("sequence_number", "cursor")
"""Where a stream left off, by the field that its messages carry."""
CONTENTS: Final = ("event", "checkpoint", "entry")
"""What there is to tell, likewise."""
RESUMED: Final = {"after_sequence": int, "cursor": str}


def resume(message: Message, last_event_id: str) -> None:
    """Start where the client says that it stopped; InvalidArgument where that is no place."""
    for field, convert in RESUMED.items():
        if last_event_id and field in message.DESCRIPTOR.fields_by_name:
            try:
                setattr(message, field, convert(last_event_id))
            except (ValueError, OverflowError):
                raise InvalidArgument(
                    "Last-Event-ID is no place in this stream", field="last-event-id"
                ) from None


async def stream_response(messages: AsyncIterator[Message]) -> StreamingResponse:
    """The stream as a response; an error before its first message is raised as it is."""
    first = await anext(messages, None)
    return StreamingResponse(
        _events(first, messages),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(first: Message | None, rest: AsyncIterator[Message]) -> AsyncIterator[bytes]:
    try:
        if first is not None:
            yield _event(first)
        async for message in rest:
            yield _event(message)
    except grpc.aio.AioRpcError as error:
        yield b"event: error\ndata: " + bytes(from_rpc(error).body) + b"\n\n"


def _event(message: Message) -> bytes:
    document = response_json(message)
    cursor = next((document[name] for name in CURSORS if name in document), "")
    content = next((document[name] for name in CONTENTS if document.get(name)), None)
    # With a heartbeat as well: who has heard of nothing yet must know where to go on, too.
    lines = [] if cursor in ("", "0") else [f"id: {cursor}"]
    if content is None:
        lines.append(": still here")
    else:
        data = json.dumps(document, ensure_ascii=False)
        lines += [f"event: {_name(content)}", f"data: {data}"]
    return ("\n".join(lines) + "\n\n").encode()


def _name(content: dict[str, Any]) -> str:
    """The event's own type; a checkpoint's is its state, a thread event's the enum's words."""
    content = content.get("event", content)  # of a record in the log
    if "state" in content and "checkpoint_id" in content:
        return f"checkpoint.{content['state'].removeprefix('CHECKPOINT_STATE_').lower()}"
    kind = str(content.get("type", "event"))
    return kind.removeprefix("THREAD_EVENT_TYPE_").replace("_", ".", 1).lower()
