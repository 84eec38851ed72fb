"""RPC in, one use case, RPC out."""

from collections.abc import AsyncIterator
from typing import Any

from chenu.llm.v1 import completion_service_pb2 as completion
from chenu.llm.v1 import ledger_service_pb2 as ledger
from chenu.llm.v1.completion_service_pb2_grpc import CompletionServiceServicer
from chenu.llm.v1.ledger_service_pb2_grpc import LedgerServiceServicer
from kernel.context import current
from kernel.database import Database
from kernel.pagination import PageTokens
from services.llm.completions import Completions
from services.llm.ledger import list_entries


class CompletionServicer(CompletionServiceServicer):
    """Serves chenu.llm.v1.CompletionService."""

    def __init__(self, completions: Completions) -> None:
        self._completions = completions

    async def Complete(
        self, request: completion.CompleteRequest, _: Any
    ) -> completion.CompleteResponse:
        answer = await self._completions.complete(current().caller, request)
        return completion.CompleteResponse(completion=answer)

    async def StreamComplete(
        self, request: completion.StreamCompleteRequest, _: Any
    ) -> AsyncIterator[completion.StreamCompleteResponse]:
        async for part in self._completions.stream(current().caller, request.request):
            yield part


class LedgerServicer(LedgerServiceServicer):
    """Serves chenu.llm.v1.LedgerService."""

    def __init__(self, database: Database, pages: PageTokens) -> None:
        self._database, self._pages = database, pages

    async def ListLedgerEntries(
        self, request: ledger.ListLedgerEntriesRequest, _: Any
    ) -> ledger.ListLedgerEntriesResponse:
        entries, token = await list_entries(self._database, current().caller, request, self._pages)
        return ledger.ListLedgerEntriesResponse(entries=entries, next_page_token=token)
