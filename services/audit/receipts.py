"""Tells each source how far a signed tree head covers its bundles: so far it may let go.

Whoever can publish on NATS can put another bundle in the place of a source's own. A source that
does not find its own among what is in the log under its numbers says so, and is asked for them.
"""

from collections.abc import Sequence
from typing import Any, Final

import grpc
import sqlalchemy as sa
import structlog
from google.rpc.error_details_pb2 import ErrorInfo
from sqlalchemy.dialects.postgresql import ARRAY

from chenu.events.v1.bundle_pb2 import Receipt
from chenu.events.v1.source_service_pb2 import (
    GetBundleRequest,
    ListVersionsRequest,
    ReleaseBundlesRequest,
)
from chenu.events.v1.source_service_pb2_grpc import SourceServiceStub
from kernel.channels import Channels, alone
from kernel.database import Database, Record, Transaction
from kernel.errors import detail
from kernel.settings import SERVICES
from kernel.statement import Statement
from services.audit import log
from services.audit.intake import Intake
from services.audit.tables import entries, sources

_DUE: Final = Statement(
    sa.select(
        sources.c.source, sources.c.number, sources.c.manifest_index, sources.c.receipted_number
    ).where(sources.c.number > sources.c.receipted_number)
)
_MANIFESTS: Final = Statement(
    sa.select(entries.c.leaf_hash).where(
        entries.c.subject == sa.any_(sa.bindparam("subjects", type_=ARRAY(sa.Text))),
        entries.c.kind == "manifest",
        entries.c.source == sa.bindparam("source"),
    )
)
_SENT: Final = Statement(
    sa.update(sources)
    .where(sources.c.source == sa.bindparam("name"))
    .values(receipted_number=sa.bindparam("to"))
)
_TIMEOUT: Final = 5.0
_log = structlog.get_logger(component="receipts")


class Sources:
    """The services that record events, as the audit service talks to them."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels
        self._stubs: dict[str, Any] = {}

    def stub(self, source: str) -> Any:
        """The source interface of "chenu/<service>"; LookupError where that is none of ours."""
        service = source.removeprefix("chenu/")
        if service not in SERVICES:
            raise LookupError(f"{source} is none of the services")
        if service not in self._stubs:
            self._stubs[service] = SourceServiceStub(self._channels.channel(service))
        return self._stubs[service]

    async def fetch(self, source: str, number: int) -> bytes:
        """A bundle by its number, from the service that made it."""
        with alone():
            answer = await self.stub(source).GetBundle(
                GetBundleRequest(number=number), timeout=_TIMEOUT
            )
        data: bytes = answer.bundle.SerializeToString(deterministic=True)
        return data

    async def versions(self, source: str, stream: str, version: int) -> Sequence[bytes]:
        """The events of a stream from a version on, as far as the service still has them."""
        with alone():
            answer = await self.stub(source).ListVersions(
                ListVersionsRequest(stream=stream, from_version=version), timeout=_TIMEOUT
            )
        events: Sequence[bytes] = answer.events
        return events


class Receipts:
    """Makes receipts from the newest tree head and hands them to the sources."""

    def __init__(self, worker: Database, sources: Sources, intake: Intake) -> None:
        self._worker, self._sources, self._intake = worker, sources, intake
        self._released: dict[str, int] = {}
        """How far a source says that it has let go, where it has refused a receipt."""

    async def send(self) -> None:
        """Send what is due; a source that is not there gets its receipt the next time."""
        async with self._worker.work() as tx:
            due = await tx.fetch(_DUE)
            if not due:
                return
            size, _, note = await log.latest_head(tx)
            receipts = [
                Receipt(
                    source=row["source"],
                    number=row["number"],
                    manifest_index=row["manifest_index"],
                    inclusion_path=await log.prove_inclusion(tx, row["manifest_index"], size),
                    tree_head=note,
                    manifests=await self._manifests(tx, row),
                )
                for row in due
            ]
        for receipt in receipts:
            await self._deliver(receipt)

    async def _manifests(self, tx: Transaction, row: Record) -> list[bytes]:
        """All that is in the log under the numbers since the source's last receipt."""
        released = self._released.get(row["source"], row["receipted_number"])
        subjects = [f"bundle/{n}" for n in range(released + 1, row["number"] + 1)]
        rows = await tx.fetch(_MANIFESTS, source=row["source"], subjects=subjects)
        return [row["leaf_hash"] for row in rows]

    async def _deliver(self, receipt: Receipt) -> None:
        try:
            with alone():
                await self._sources.stub(receipt.source).ReleaseBundles(
                    ReleaseBundlesRequest(receipt=receipt), timeout=_TIMEOUT
                )
        except grpc.aio.AioRpcError as error:
            _log.warning("receipt not taken", source=receipt.source, code=error.code().name)
            info = detail(error, ErrorInfo)
            if info is not None and "released" in info.metadata:
                await self._fetch_missing(receipt, int(info.metadata["released"]))
            return
        except LookupError as error:  # whoever wrote under that name, the others get theirs
            _log.warning("no receipt", problem=str(error))
            return
        self._released.pop(receipt.source, None)
        async with self._worker.work() as tx:
            await tx.execute(_SENT, name=receipt.source, to=receipt.number)

    async def _fetch_missing(self, receipt: Receipt, released: int) -> None:
        """Take in what the source itself has under these numbers; what is in the log stays."""
        source = receipt.source
        self._released[source] = released
        try:
            for number in range(released + 1, receipt.number + 1):
                bundle = await self._sources.fetch(source, number)
                await self._intake.take([(source, bundle)])
        except grpc.aio.AioRpcError as error:
            _log.warning("bundles not compared", source=source, code=error.code().name)
