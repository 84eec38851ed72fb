"""ThreadService."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final

from chenu.threads.v1 import thread_service_pb2 as rpc
from chenu.threads.v1.thread_service_pb2_grpc import ThreadServiceServicer
from kernel.context import current
from kernel.database import Database, Record
from kernel.idempotency import claim, remember
from kernel.pagination import PageTokens, page_size
from kernel.watching import Changes
from services.threads import resources, threads
from services.threads.changes import Author, lock
from services.threads.context import Contexts
from services.threads.edits import edited_columns
from services.threads.watching import Watcher
from services.threads.words import KINDS, OWNERSHIPS, SPHERES, STATUSES, VISIBILITIES

_SERVICE: Final = "/chenu.threads.v1.ThreadService"


# Of many threads they would be more than an answer holds.
_WITHOUT_TEXTS: Final = {"founding_intent": "", "description": "", "tags": ()}


class ThreadServicer(ThreadServiceServicer):
    """Threads as people and Nova read them, and as people change them."""

    def __init__(
        self, database: Database, pages: PageTokens, changes: Changes, watcher: Watcher
    ) -> None:
        self._database, self._pages, self._contexts = database, pages, Contexts(database)
        self._changes, self._watcher = changes, watcher

    async def CreateThread(
        self, request: rpc.CreateThreadRequest, context: Any
    ) -> rpc.CreateThreadResponse:
        caller = current().caller
        async with self._database.transaction(caller) as tx:
            made = await claim(tx, caller, request.request_id, f"{_SERVICE}/CreateThread", request)
            if made is not None:
                row = await threads.get(tx, made)
            else:
                item = threads.founding_item(_founding(request), Author.of(caller))
                row = await threads.found(tx, item)
                await remember(tx, caller, request.request_id, row["thread_id"])
        return rpc.CreateThreadResponse(thread=resources.thread(row))

    async def GetThread(self, request: rpc.GetThreadRequest, context: Any) -> rpc.GetThreadResponse:
        async with self._database.transaction(current().caller) as tx:
            row = await threads.get(tx, request.thread_id)
        return rpc.GetThreadResponse(thread=resources.thread(row))

    async def ListThreads(
        self, request: rpc.ListThreadsRequest, context: Any
    ) -> rpc.ListThreadsResponse:
        size = page_size(request.page_size)
        place = self._pages.before(request)
        filters = {
            "sphere": SPHERES.word(request.sphere),
            "status": STATUSES.word(request.status),
            "title": request.title_contains,
        }
        response = rpc.ListThreadsResponse()
        async with self._database.transaction(current().caller) as tx:
            rows = await threads.list_threads(tx, filters, limit=size + 1, **place)
            if request.include_total:
                response.total_size = await threads.count_threads(tx, filters)
        shown = [resources.thread(row) for row in rows]
        size = resources.fitting(shown, size)
        page, token = self._pages.by_time(rows, size, request, "update_time", "thread_id")
        response.threads.extend(shown[: len(page)])
        response.next_page_token = token
        return response

    async def UpdateThread(
        self, request: rpc.UpdateThreadRequest, context: Any
    ) -> rpc.UpdateThreadResponse:
        caller = current().caller
        columns = edited_columns(request.thread, request.update_mask.paths)
        async with self._database.transaction(caller) as tx:
            made = await claim(tx, caller, request.request_id, f"{_SERVICE}/UpdateThread", request)
            if made is not None:
                row = await threads.get(tx, made)
            else:
                row = await threads.update(tx, caller, request.thread_id, request.etag, columns)
                await remember(tx, caller, request.request_id, row["thread_id"])
        self._changes.notify(row["thread_id"])
        return rpc.UpdateThreadResponse(thread=resources.thread(row))

    async def ResolveThread(
        self, request: rpc.ResolveThreadRequest, context: Any
    ) -> rpc.ResolveThreadResponse:
        row = await self._set_status(request.thread_id, request.etag, "resolved")
        return rpc.ResolveThreadResponse(thread=resources.thread(row))

    async def ArchiveThread(
        self, request: rpc.ArchiveThreadRequest, context: Any
    ) -> rpc.ArchiveThreadResponse:
        row = await self._set_status(request.thread_id, request.etag, "archived")
        return rpc.ArchiveThreadResponse(thread=resources.thread(row))

    async def ReopenThread(
        self, request: rpc.ReopenThreadRequest, context: Any
    ) -> rpc.ReopenThreadResponse:
        row = await self._set_status(request.thread_id, request.etag, "active")
        return rpc.ReopenThreadResponse(thread=resources.thread(row))

    async def WatchThread(
        self, request: rpc.WatchThreadRequest, context: Any
    ) -> AsyncIterator[rpc.WatchThreadResponse]:
        follow = self._watcher.follow(current().caller, request.thread_id, request.after_sequence)
        async with aclosing(follow):
            async for row, sequence in follow:
                event = None if row is None else resources.thread_event(row)
                yield rpc.WatchThreadResponse(event=event, sequence_number=sequence)

    async def GetContext(
        self, request: rpc.GetContextRequest, context: Any
    ) -> rpc.GetContextResponse:
        found = await self._contexts.read(
            current().caller, request.thread_id, request.references, request.recent
        )
        response = rpc.GetContextResponse()
        if request.thread_id:
            response.thread.CopyFrom(resources.thread(found["thread"]))
            for said in found["messages"]:
                response.messages.add(role=said["role"], content=said["content"])
        for row in found["candidates"]:
            response.candidates.append(resources.thread({**row, **_WITHOUT_TEXTS}))
        return response

    async def _set_status(self, thread_id: str, etag: str, status: str) -> Record:
        caller = current().caller
        async with self._database.transaction(caller) as tx:
            before = await lock(tx, thread_id, archived_too=status != "resolved")
            threads.check_etag(before, etag)
            row = await threads.set_status(tx, Author.of(caller), before, status)
        self._changes.notify(row["thread_id"])
        return row


def _founding(request: rpc.CreateThreadRequest) -> dict[str, Any]:
    default = threads.DEFAULTS
    return {
        "title": request.title,
        "founding_intent": request.founding_intent,
        "description": request.description,
        "sphere": SPHERES.word(request.sphere, default["sphere"]),
        "kind": KINDS.word(request.kind, default["kind"]),
        "ownership": OWNERSHIPS.word(request.ownership, default["ownership"]),
        "visibility": VISIBILITIES.word(request.visibility, default["visibility"]),
        "tags": list(request.tags),
    }
