"""RPC in, a file out, in pieces."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

from chenu.audit.v1 import tile_service_pb2 as messages
from chenu.audit.v1.tile_service_pb2_grpc import TileServiceServicer
from kernel.context import current
from services.audit.log_files import LogFile, LogFiles

_PIECE_BYTES: Final = 1 << 20


class TileServicer(TileServiceServicer):
    """Serves chenu.audit.v1.TileService."""

    def __init__(self, files: LogFiles) -> None:
        self._files = files

    async def GetLogFile(
        self, request: messages.GetLogFileRequest, _: Any
    ) -> AsyncIterator[messages.GetLogFileResponse]:
        for piece in _pieces(await self._files.read(request.path)):
            yield messages.GetLogFileResponse(**piece)

    async def GetEntryBundle(
        self, request: messages.GetEntryBundleRequest, _: Any
    ) -> AsyncIterator[messages.GetEntryBundleResponse]:
        for piece in _pieces(await self._files.bundle(current().caller, request.path)):
            yield messages.GetEntryBundleResponse(**piece)


def _pieces(file: LogFile) -> Iterator[dict[str, Any]]:
    yield {
        "data": file.data[:_PIECE_BYTES],
        "content_type": file.content_type,
        "immutable": file.immutable,
    }
    for start in range(_PIECE_BYTES, len(file.data), _PIECE_BYTES):
        yield {"data": file.data[start : start + _PIECE_BYTES]}
