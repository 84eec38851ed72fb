"""Tells each source how far a signed tree head covers its bundles: so far it may let go."""

from collections.abc import Sequence
from typing import Any, Final

import grpc
import sqlalchemy as sa
import structlog

from chenu.events.v1.bundle_pb2 import Receipt
from chenu.events.v1.source_service_pb2 import (
    GetBundleRequest,
    ListVersionsRequest,
    ReleaseBundlesRequest,
)
from chenu.events.v1.source_service_pb2_grpc import SourceServiceStub
from kernel.channels import Channels, alone
from kernel.database import Database
from kernel.settings import SERVICES
from kernel.statement import Statement
from services.audit import log
from services.audit.tables import sources

_DUE: Final = Statement(
    sa.select(sources.c.source, sources.c.number, sources.c.manifest_index).where(
        sources.c.number > sources.c.receipted_number
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

    def __init__(self, worker: Database, sources: Sources) -> None:
        self._worker, self._sources = worker, sources

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
                )
                for row in due
            ]
        for receipt in receipts:
            await self._deliver(receipt)

    async def _deliver(self, receipt: Receipt) -> None:
        try:
            with alone():
                await self._sources.stub(receipt.source).ReleaseBundles(
                    ReleaseBundlesRequest(receipt=receipt), timeout=_TIMEOUT
                )
        except grpc.aio.AioRpcError as error:
            _log.warning("receipt not taken", source=receipt.source, code=error.code().name)
            return
        except LookupError as error:  # whoever wrote under that name, the others get theirs
            _log.warning("no receipt", problem=str(error))
            return
        async with self._worker.work() as tx:
            await tx.execute(_SENT, name=receipt.source, to=receipt.number)
