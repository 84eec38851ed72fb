"""Page tokens: opaque, signed, and good only for the request that they came from.

size = page_size(request.page_size)
after = pages.decode(request.page_token, request)      # None on the first page
token = pages.encode({"t": last.create_time.isoformat(), "id": last.id}, request)
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Final

from google.protobuf.message import Message

from kernel.errors import InvalidArgument, InvalidPageToken

_TAG_BYTES: Final = 16
_FREE: Final = ("page_token", "page_size", "include_total")


def page_size(asked: int, default: int = 50, maximum: int = 200) -> int:
    """How many rows: zero means the default, too many means the maximum (AIP-158)."""
    if asked < 0:
        raise InvalidArgument("page_size must not be negative", field="page_size")
    return min(asked or default, maximum)


class PageTokens:
    """Signs cursors with a key of the service's own; a cursor is plain JSON and no permission."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encode(self, cursor: dict[str, Any], request: Message) -> str:
        """The token of the page that begins after `cursor`, for the same other arguments."""
        body = json.dumps(cursor, separators=(",", ":")).encode()
        return urlsafe_b64encode(self._tag(body, request) + body).rstrip(b"=").decode()

    def decode(self, token: str, request: Message) -> dict[str, Any] | None:
        """The cursor; None for an empty token, InvalidPageToken for one of another request."""
        if not token:
            return None
        try:
            raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            raise InvalidPageToken from None
        tag, body = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(body, request)):
            raise InvalidPageToken
        cursor: dict[str, Any] = json.loads(body)
        return cursor

    def _tag(self, body: bytes, request: Message) -> bytes:
        bound = type(request)()
        bound.CopyFrom(request)
        for name in _FREE:
            if name in request.DESCRIPTOR.fields_by_name:
                bound.ClearField(name)
        text = request.DESCRIPTOR.full_name.encode() + b"\0"
        text += bound.SerializeToString(deterministic=True) + b"\0" + body
        return hmac.digest(self._key, text, "sha256")[:_TAG_BYTES]
