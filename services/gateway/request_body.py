"""The body of a request, as far as anybody is willing to read."""

from starlette.requests import Request


class BodyTooLarge(Exception):
    """More than the gateway is willing to read."""


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body; BodyTooLarge as soon as it is longer than that."""
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > limit:
            raise BodyTooLarge
    return bytes(data)
