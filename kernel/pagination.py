"""Page tokens: opaque, signed, and good only for the request that they came from.

size = page_size(request.page_size)
after = pages.decode(request.page_token, request)      # None on the first page
rows = await tx.fetch(LIST, size=size + 1, ...)        # one more tells whether another page follows
page, token = pages.page(rows, size, request, lambda last: {"name": last["name"]})

A list with the latest first: `**pages.before(request)` among the parameters, then `pages.by_time`.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from google.protobuf.message import Message

from kernel.errors import InvalidArgument, InvalidPageToken

T = TypeVar("T")
_TAG_BYTES: Final = 16
_LATEST: Final = {
    "before_time": datetime(9999, 1, 1, tzinfo=UTC),
    "before_id": "ffffffff-ffff-ffff-ffff-ffffffffffff",
}
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

    def page(
        self, rows: Sequence[T], size: int, request: Message, place: Callable[[T], dict[str, Any]]
    ) -> tuple[Sequence[T], str]:
        """The rows of the page, of which one more may have been read, and the next page's token."""
        if len(rows) <= size:
            return rows, ""
        return rows[:size], self.encode(place(rows[size - 1]), request)

    def before(self, request: Any) -> dict[str, Any]:
        """`before_time` and `before_id`, where the page of a list with the latest first begins."""
        cursor = self.decode(request.page_token, request)
        if cursor is None:
            return dict(_LATEST)
        time = datetime.fromisoformat(cursor["time"])
        return {"before_time": time, "before_id": str(cursor["id"])}

    def by_time(
        self, rows: Sequence[Any], size: int, request: Message, time: str, key: str
    ) -> tuple[Sequence[Any], str]:
        """As `page`, in the order of the columns `time` and `key`; `before` reads its tokens."""
        return self.page(
            rows, size, request, lambda row: {"time": row[time].isoformat(), "id": row[key]}
        )

    def _tag(self, body: bytes, request: Message) -> bytes:
        bound = type(request)()
        bound.CopyFrom(request)
        for name in _FREE:
            if name in request.DESCRIPTOR.fields_by_name:
                bound.ClearField(name)
        text = request.DESCRIPTOR.full_name.encode() + b"\0"
        text += bound.SerializeToString(deterministic=True) + b"\0" + body
        return hmac.digest(self._key, text, "sha256")[:_TAG_BYTES]
