"""ThreadEventService."""

from typing import Any, Final

from chenu.threads.v1 import thread_event_service_pb2 as rpc
from chenu.threads.v1.thread_event_service_pb2_grpc import ThreadEventServiceServicer
from kernel.context import current
from kernel.database import Database
from kernel.idempotency import claim, remember
from kernel.pagination import PageTokens, page_size
from kernel.watching import Changes
from services.threads import resources, run_history, thread_events, threads
from services.threads.words import EVENT_TYPES

_METHOD: Final = "/chenu.threads.v1.ThreadEventService/AppendThreadEvent"


class ThreadEventServicer(ThreadEventServiceServicer):
    """The history of a thread."""

    def __init__(self, database: Database, pages: PageTokens, changes: Changes) -> None:
        self._database, self._pages, self._changes = database, pages, changes

    async def AppendThreadEvent(
        self, request: rpc.AppendThreadEventRequest, context: Any
    ) -> rpc.AppendThreadEventResponse:
        caller = current().caller
        event = thread_events.new_event(EVENT_TYPES.word(request.type), request.payload)
        async with self._database.transaction(caller) as tx:
            made = await claim(tx, caller, request.request_id, _METHOD, request)
            if made is None:
                made = await thread_events.append(
                    tx, caller, request.thread_id, event, request.expected_version
                )
                await remember(tx, caller, request.request_id, made)
            row = await thread_events.get(tx, made)
        self._changes.notify(row["thread_id"])
        return rpc.AppendThreadEventResponse(event=resources.thread_event(row))

    async def RecordRun(self, request: rpc.RecordRunRequest, context: Any) -> rpc.RecordRunResponse:
        caller = current().caller
        async with self._database.transaction(caller) as tx:
            thread = await run_history.record_run(tx, caller, request)
        self._changes.notify(thread["thread_id"])
        return rpc.RecordRunResponse(sequence_number=thread["event_count"])

    async def ListThreadEvents(
        self, request: rpc.ListThreadEventsRequest, context: Any
    ) -> rpc.ListThreadEventsResponse:
        size = page_size(request.page_size)
        cursor = self._pages.decode(request.page_token, request) or {
            "after": request.after_sequence
        }
        async with self._database.transaction(current().caller) as tx:
            await threads.get(tx, request.thread_id)
            rows = await thread_events.list_events(
                tx, request.thread_id, after=cursor["after"], limit=size + 1
            )
        shown = [resources.thread_event(row) for row in rows]
        size = resources.fitting(shown, size)
        page, token = self._pages.page(
            rows, size, request, lambda row: {"after": row["sequence_number"]}
        )
        return rpc.ListThreadEventsResponse(events=shown[: len(page)], next_page_token=token)
