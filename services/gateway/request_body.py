"""The body of a request, as far as anybody is willing to read."""

import asyncio

from starlette.requests import Request


class BodyTooLarge(Exception):
    """More than the gateway is willing to read."""


class BodyTooSlow(Exception):
    """It took longer than the gateway is willing to wait."""


async def read_body(request: Request, limit: int, seconds: float) -> bytes:
    """The whole body; BodyTooLarge and BodyTooSlow as soon as it is that."""
    data = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                data += part
                if len(data) > limit:
                    raise BodyTooLarge
    except TimeoutError:
        raise BodyTooSlow from None
    return bytes(data)
