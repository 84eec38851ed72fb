"""The body of a request, as far as anybody is willing to read."""

import asyncio
from email.message import Message
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from services.gateway import problems

_UTF_8: Final = ("utf-8", "utf8", "us-ascii")


class BodyRefused(Exception):
    """It is not read, or not to its end."""

    def __init__(
        self, status: int, title: str, detail: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.response: Response = problems.plain(status, title, detail, headers)


async def read_body(request: Request, limit: int, seconds: float) -> bytes:
    """The whole body; BodyRefused as soon as it is too much, too slow, or compressed."""
    # What it comes to is known only once it is unpacked: nobody needs that for a megabyte.
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        accepted = {"Accept-Encoding": "identity"}
        raise BodyRefused(415, "Unsupported coding", "send the body uncompressed", accepted)
    data = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                data += part
                if len(data) > limit:
                    raise BodyRefused(413, "Body too large", f"at most {limit} bytes")
    except TimeoutError:
        close = {"Connection": "close"}
        raise BodyRefused(408, "Body too slow", f"at most {seconds:g} seconds", close) from None
    return bytes(data)


async def read_json(request: Request, limit: int, seconds: float) -> bytes:
    """The same; BodyRefused as well where it says that it is something else than JSON in UTF-8."""
    body = await read_body(request, limit, seconds)
    said = Message()
    said["Content-Type"] = request.headers.get("content-type", "application/json")
    kind = said.get_content_type()
    is_json = kind == "application/json" or kind.endswith("+json")
    if body and not (is_json and said.get_content_charset("utf-8") in _UTF_8):
        accepted = {"Accept": "application/json"}
        raise BodyRefused(415, "Unsupported media type", "send application/json, UTF-8", accepted)
    return body


def has_body(request: Request) -> bool:
    """Whether a body comes with it, of any length but none."""
    length = request.headers.get("content-length", "0")
    return length != "0" or "transfer-encoding" in request.headers
