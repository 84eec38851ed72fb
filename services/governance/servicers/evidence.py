"""EvidenceService: what proves how an action came to be done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from chenu.governance.v1.evidence_service_pb2 import ExportEvidenceRequest, ExportEvidenceResponse
from chenu.governance.v1.evidence_service_pb2_grpc import EvidenceServiceServicer
from kernel.context import current
from services.governance.evidence.export import Evidence


class EvidenceServicer(EvidenceServiceServicer):
    """Streams evidence."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    async def ExportEvidence(
        self, request: ExportEvidenceRequest, context: Any
    ) -> AsyncIterator[ExportEvidenceResponse]:
        kind = request.WhichOneof("subject") or ""
        value = getattr(request, kind).lower()
        pieces = self._evidence.export(current().caller, kind, value, whole=request.whole)
        async for piece in pieces:
            yield ExportEvidenceResponse(data=piece)
