"""A stand-in audit: a log that takes in what it is told to, and shows what it is told to.

async with StandInAudit() as audit:
    audit.takes_in, audit.shown = True, b"…"
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Self

import grpc

from chenu.audit.v1 import entry_service_pb2, entry_service_pb2_grpc
from chenu.audit.v1.entry_pb2 import Entry
from chenu.audit.v1.export_service_pb2 import ExportEntriesRequest, ExportEntriesResponse
from chenu.audit.v1.export_service_pb2_grpc import (
    ExportServiceServicer,
    add_ExportServiceServicer_to_server,
)


class StandInAudit(entry_service_pb2_grpc.EntryServiceServicer, ExportServiceServicer):
    """A gRPC server with the two streams that governance reads."""

    def __init__(self) -> None:
        self.address = ""
        self.takes_in, self.shown = True, b""
        self.asked: list[list[str]] = []
        self._server = grpc.aio.server()

    async def WatchEntries(
        self, _request: Any, _context: Any
    ) -> AsyncIterator[entry_service_pb2.WatchEntriesResponse]:
        yield entry_service_pb2.WatchEntriesResponse()
        if self.takes_in:
            yield entry_service_pb2.WatchEntriesResponse(entry=Entry(index=1))
        else:
            await asyncio.Event().wait()

    async def ExportEntries(
        self, request: ExportEntriesRequest, _context: Any
    ) -> AsyncIterator[ExportEntriesResponse]:
        self.asked.append(list(request.resources))
        yield ExportEntriesResponse(data=self.shown)

    async def __aenter__(self) -> Self:
        entry_service_pb2_grpc.add_EntryServiceServicer_to_server(self, self._server)
        add_ExportServiceServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(0)
