"""What every service that records audit events serves to audit, and to nobody else.

Audit fetches here what NATS lost, and hands in its receipts. A receipt is
believed only when a pinned log key signed the tree head, the bundle's manifest
is proved to be in that tree, and audit has the manifests of all before it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from chenu.events.v1 import source_service_pb2 as messages
from chenu.events.v1.bundle_pb2 import Bundle, Receipt
from chenu.events.v1.source_service_pb2_grpc import SourceServiceServicer
from kernel.database import Database, Transaction
from kernel.errors import FailedPrecondition, NotFound
from kernel.receipts import ReceiptInvalid, VerifierKey, check_inclusion, leaf_hash, open_tree_head
from kernel.relay import BUNDLES, RELEASED_NUMBER
from kernel.statement import Statement

_BUNDLE = Statement(f"{BUNDLES} WHERE number = :number")
_MANIFESTS = Statement("SELECT number, manifest FROM bundles WHERE number BETWEEN :first AND :last")
_LAST = Statement("SELECT number FROM relay_state")
_VERSIONS = Statement(  # of them as many as a message holds
    "SELECT event FROM (SELECT event, sum(length(event)) OVER (ORDER BY version) AS so_far"
    " FROM outbox WHERE stream = :stream AND version >= :version AND stream <> ''"
    " ORDER BY version LIMIT 500) AS these WHERE so_far < 4000000"
)
_RECEIVE = Statement(
    "INSERT INTO receipts (number, tree_head) VALUES (:number, :tree_head) ON CONFLICT DO NOTHING"
)
_RELEASED = Statement(RELEASED_NUMBER)


class BundleNotFound(NotFound):
    """The number was never given out, or its events are deleted after their release."""

    reason = "BUNDLE_NOT_FOUND"


class ReceiptRefused(FailedPrecondition):
    """The receipt does not prove what it says."""

    reason = "RECEIPT_INVALID"


def log_keys(path: Path) -> list[VerifierKey]:
    """The verifier keys in a file, one a line; empty where there is no file."""
    if not path.exists():
        return []
    return [VerifierKey.parse(line) for line in path.read_text("utf-8").split("\n") if line]


class SourceServicer(SourceServiceServicer):
    """Serves one service's bundles; who may call stands in the proto."""

    def __init__(
        self, service: str, worker: Database, keys: Callable[[], list[VerifierKey]]
    ) -> None:
        self._source, self._worker, self._keys = f"chenu/{service}", worker, keys

    async def GetBundle(
        self, request: messages.GetBundleRequest, context: Any
    ) -> messages.GetBundleResponse:
        async with self._worker.work() as tx:
            row = await tx.fetch_one(_BUNDLE, number=request.number)
            if row is None:
                raise BundleNotFound("there is no such bundle", number=str(request.number))
            last = await _scalar(tx, _LAST)
        bundle = Bundle(manifest=row["manifest"], events=row["events"])
        return messages.GetBundleResponse(bundle=bundle, last_number=last)

    async def ListVersions(
        self, request: messages.ListVersionsRequest, context: Any
    ) -> messages.ListVersionsResponse:
        async with self._worker.work() as tx:
            rows = await tx.fetch(_VERSIONS, stream=request.stream, version=request.from_version)
        return messages.ListVersionsResponse(events=[row["event"] for row in rows])

    async def ReleaseBundles(
        self, request: messages.ReleaseBundlesRequest, context: Any
    ) -> messages.ReleaseBundlesResponse:
        receipt = request.receipt
        async with self._worker.work() as tx:
            released = await _scalar(tx, _RELEASED)
            if receipt.number > released:
                await self._check(tx, receipt, released)
                await tx.execute(_RECEIVE, number=receipt.number, tree_head=receipt.tree_head)
        return messages.ReleaseBundlesResponse(released_number=max(released, receipt.number))

    async def _check(self, tx: Transaction, receipt: Receipt, released: int) -> None:
        rows = await tx.fetch(_MANIFESTS, first=released + 1, last=receipt.number)
        leaves = {row["number"]: leaf_hash(row["manifest"]) for row in rows}
        if receipt.source != self._source or receipt.number not in leaves:
            raise ReceiptRefused("the receipt is for something that was not given out here")
        if not set(leaves.values()) <= set(receipt.manifests):
            raise ReceiptRefused("not all that it covers is in the log", released=str(released))
        try:
            head = open_tree_head(receipt.tree_head, self._keys())
            leaf, path = leaves[receipt.number], receipt.inclusion_path
            check_inclusion(receipt.manifest_index, head.size, leaf, path, head.root)
        except ReceiptInvalid as error:
            raise ReceiptRefused("the receipt proves nothing", cause=str(error)) from None


async def _scalar(tx: Transaction, statement: Statement) -> int:
    row = await tx.fetch_one(statement)
    return int(row[0]) if row is not None else 0
