"""A file that an RPC streams in pieces, each in the field `data`."""

from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.responses import StreamingResponse

SECONDS: Final = 3600.0
"""How long one may take; who verifies a file that was cut is told so."""


async def file_response(messages: AsyncIterator[Any]) -> StreamingResponse:
    """The pieces as one body; an error before the first is raised as it is, a later one cuts it."""
    first = await anext(messages)
    return StreamingResponse(
        _pieces(first, messages),
        media_type="application/octet-stream",
        headers={"Cache-Control": "no-store", "Content-Disposition": "attachment"},
    )


async def _pieces(first: Any, rest: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    yield first.data
    async for message in rest:
        yield message.data
