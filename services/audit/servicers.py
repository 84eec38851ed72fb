"""RPC in, one use case, RPC out."""

from collections.abc import AsyncIterator
from typing import Any, Final

from chenu.audit.v1 import entry_service_pb2 as entry_pb
from chenu.audit.v1 import log_service_pb2 as log_pb
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceServicer
from chenu.audit.v1.log_service_pb2_grpc import LogServiceServicer
from kernel.context import current
from kernel.database import Database
from kernel.pagination import page_size
from kernel.receipts import VerifierKey
from services.audit import log
from services.audit.entries import AUDITOR, Entries
from services.audit.reports import Reports
from services.audit.watch import Watch
from services.audit.witnesses import witnessed_head

_HASHES: Final = 1024
_MAXIMUM_HASHES: Final = 8192
_LAST_INDEX: Final = 2**63 - 1


class EntryServicer(EntryServiceServicer):
    """Serves chenu.audit.v1.EntryService."""

    def __init__(self, entries: Entries, watch: Watch, reports: Reports) -> None:
        self._entries, self._watch, self._reports = entries, watch, reports

    async def GetEntry(
        self, request: entry_pb.GetEntryRequest, _: Any
    ) -> entry_pb.GetEntryResponse:
        entry = await self._entries.get(current().caller, request.index)
        return entry_pb.GetEntryResponse(entry=entry)

    async def ListEntries(
        self, request: entry_pb.ListEntriesRequest, _: Any
    ) -> entry_pb.ListEntriesResponse:
        caller = current().caller
        entries, token, total = await self._entries.list(caller, request)
        return entry_pb.ListEntriesResponse(
            entries=entries,
            next_page_token=token,
            total_size=total,
            of_tenant=AUDITOR in caller.roles,
        )

    async def ListSystemEntries(
        self, request: entry_pb.ListSystemEntriesRequest, _: Any
    ) -> entry_pb.ListSystemEntriesResponse:
        entries, token = await self._entries.list_system(current().caller, request)
        return entry_pb.ListSystemEntriesResponse(entries=entries, next_page_token=token)

    async def WatchEntries(
        self, request: entry_pb.WatchEntriesRequest, _: Any
    ) -> AsyncIterator[entry_pb.WatchEntriesResponse]:
        async for entry, cursor in self._watch.follow(current().caller, request):
            yield entry_pb.WatchEntriesResponse(entry=entry, cursor=cursor)

    async def GetStatistics(
        self, request: entry_pb.GetStatisticsRequest, _: Any
    ) -> entry_pb.GetStatisticsResponse:
        return await self._reports.statistics(current().caller, request)

    async def GetViolationReport(
        self, request: entry_pb.GetViolationReportRequest, _: Any
    ) -> entry_pb.GetViolationReportResponse:
        return await self._reports.violations(current().caller, request)


class LogServicer(LogServiceServicer):
    """Serves chenu.audit.v1.LogService; the log's hashes are nobody's and everybody's."""

    def __init__(
        self, worker: Database, verifier_key: VerifierKey, successions: log.Successions
    ) -> None:
        self._worker, self._verifier_key, self._successions = worker, verifier_key, successions

    async def GetTreeHead(
        self, request: log_pb.GetTreeHeadRequest, _: Any
    ) -> log_pb.GetTreeHeadResponse:
        async with self._worker.work() as tx:
            size, root, note = await log.latest_head(tx)
            _, witnessed = await witnessed_head(tx)
        return log_pb.GetTreeHeadResponse(
            tree_head=note, size=size, root=root, witnessed_tree_head=witnessed
        )

    async def GetInclusionProof(
        self, request: log_pb.GetInclusionProofRequest, _: Any
    ) -> log_pb.GetInclusionProofResponse:
        async with self._worker.work() as tx:
            newest, _root, _note = await log.latest_head(tx)
            size = request.tree_size or newest
            log.check_covered(size, newest)
            path = await log.prove_inclusion(tx, request.index, size)
            leaf = await log.leaf_hashes(tx, request.index, request.index + 1)
            note = await log.note_at(tx, size)
        return log_pb.GetInclusionProofResponse(
            leaf_hash=leaf, path=path, tree_size=size, tree_head=note
        )

    async def GetConsistencyProof(
        self, request: log_pb.GetConsistencyProofRequest, _: Any
    ) -> log_pb.GetConsistencyProofResponse:
        async with self._worker.work() as tx:
            newest, _root, _note = await log.latest_head(tx)
            second = request.second_size or newest
            log.check_covered(second, newest)
            path = await log.prove_consistency(tx, request.first_size, second)
        return log_pb.GetConsistencyProofResponse(path=path, second_size=second)

    async def ListTreeHeads(
        self, request: log_pb.ListTreeHeadsRequest, _: Any
    ) -> log_pb.ListTreeHeadsResponse:
        async with self._worker.work() as tx:
            newest, _root, _note = await log.latest_head(tx)
            before = min(request.before_size or newest, newest)
            notes = await log.heads_between(tx, min(request.after_size, newest), before)
        return log_pb.ListTreeHeadsResponse(tree_heads=notes)

    async def ListLeafHashes(
        self, request: log_pb.ListLeafHashesRequest, _: Any
    ) -> log_pb.ListLeafHashesResponse:
        size = page_size(request.page_size, default=_HASHES, maximum=_MAXIMUM_HASHES)
        async with self._worker.work() as tx:
            end = min(request.start_index + size, _LAST_INDEX)
            hashes = await log.leaf_hashes(tx, request.start_index, end)
        return log_pb.ListLeafHashesResponse(hashes=hashes)

    async def GetLogKey(self, request: log_pb.GetLogKeyRequest, _: Any) -> log_pb.GetLogKeyResponse:
        return log_pb.GetLogKeyResponse(
            verifier_key=str(self._verifier_key), successions=self._successions()
        )

    async def GetTile(self, request: log_pb.GetTileRequest, _: Any) -> log_pb.GetTileResponse:
        async with self._worker.work() as tx:
            hashes = await log.tile(tx, request.level, request.index)
        return log_pb.GetTileResponse(hashes=hashes)
