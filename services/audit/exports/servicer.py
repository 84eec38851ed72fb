"""RPC in, the use case, pieces out."""

from collections.abc import AsyncIterator
from typing import Any

from chenu.audit.v1.export_service_pb2 import ExportEntriesRequest, ExportEntriesResponse
from chenu.audit.v1.export_service_pb2_grpc import ExportServiceServicer
from kernel.context import current
from services.audit.exports.exporter import Exporter


class ExportServicer(ExportServiceServicer):
    """Serves chenu.audit.v1.ExportService."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter

    async def ExportEntries(
        self, request: ExportEntriesRequest, _: Any
    ) -> AsyncIterator[ExportEntriesResponse]:
        async for response in self._exporter.export(current().caller, request):
            yield response
