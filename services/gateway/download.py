"""A file that an RPC streams in pieces, each in the field `data`.

One whose first piece has a `content_type` is what it says; any other is an attachment.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.responses import StreamingResponse

SECONDS: Final = 3600.0
"""How long one may take; who verifies a file that was cut is told so."""


async def file_response(messages: AsyncIterator[Any]) -> StreamingResponse:
    """The pieces as one body; an error before the first is raised as it is, a later one cuts it."""
    first = await anext(messages)
    if "content_type" in first.DESCRIPTOR.fields_by_name:
        # Only for who has asked: what a token was needed for is nothing for a shared cache.
        cached = "private, max-age=31536000, immutable" if first.immutable else "no-store"
        headers = {"Content-Type": first.content_type, "Cache-Control": cached}
    else:
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": "attachment",
            "Cache-Control": "no-store",
        }
    return StreamingResponse(_pieces(first, messages), headers=headers)


async def _pieces(first: Any, rest: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    yield first.data
    async for message in rest:
        yield message.data
