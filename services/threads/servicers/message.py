"""MessageService."""

from typing import Any, Final

from chenu.threads.v1 import message_service_pb2 as rpc
from chenu.threads.v1.message_service_pb2_grpc import MessageServiceServicer
from kernel.context import current
from kernel.database import Database
from kernel.idempotency import claim, remember
from kernel.pagination import PageTokens, page_size
from kernel.watching import Changes
from services.threads import messages, resources, threads
from services.threads.changes import Author, lock

_METHOD: Final = "/chenu.threads.v1.MessageService/CreateMessage"


class MessageServicer(MessageServiceServicer):
    """What people say in a thread."""

    def __init__(self, database: Database, pages: PageTokens, changes: Changes) -> None:
        self._database, self._pages, self._changes = database, pages, changes

    async def CreateMessage(
        self, request: rpc.CreateMessageRequest, context: Any
    ) -> rpc.CreateMessageResponse:
        caller = current().caller
        async with self._database.transaction(caller) as tx:
            made = await claim(tx, caller, request.request_id, _METHOD, request)
            if made is None:
                await lock(tx, request.thread_id)
                author = Author.of(caller)
                made = await messages.add(tx, author, request.thread_id, "user", request.content)
                await remember(tx, caller, request.request_id, made)
            row = await messages.get(tx, made)
        self._changes.notify(row["thread_id"])
        return rpc.CreateMessageResponse(message=resources.message(row))

    async def ListMessages(
        self, request: rpc.ListMessagesRequest, context: Any
    ) -> rpc.ListMessagesResponse:
        size = page_size(request.page_size)
        cursor = self._pages.decode(request.page_token, request) or {"after": 0}
        async with self._database.transaction(current().caller) as tx:
            await threads.get(tx, request.thread_id)
            rows = await messages.list_messages(
                tx, request.thread_id, after=cursor["after"], limit=size + 1
            )
        shown = [resources.message(row) for row in rows]
        size = resources.fitting(shown, size)
        page, token = self._pages.page(
            rows, size, request, lambda row: {"after": row["sequence_number"]}
        )
        return rpc.ListMessagesResponse(messages=shown[: len(page)], next_page_token=token)
