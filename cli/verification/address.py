"""Reading a log's tiles over HTTP, for the same check as that of a folder."""

import json
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import quote, urlsplit

from cli.verification.folder import LARGEST, verify_tiles
from cli.verification.keys import Keys
from cli.verification.verdict import Malformed, Progress, Verdict

_SECONDS: Final = 30.0


def is_address(target: str) -> bool:
    """Whether it is to be read over HTTP."""
    return target.startswith(("http://", "https://"))


def same_server(address: str, other: str) -> bool:
    """Whether two addresses lead to one server: a token is for its own only."""
    try:
        return urlsplit(address)[:2] == urlsplit(other)[:2]
    except ValueError:
        return False


def verify_address(address: str, token: str, keys: Keys, tell: Progress) -> Verdict:
    """Check the tiles below an address; Malformed where they cannot be had."""
    try:
        parts = urlsplit(address)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.netloc, timeout=_SECONDS)
    except (HTTPException, ValueError) as error:
        raise Malformed(f"{address} is no address: {error}") from None
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        read = _reading(connection, quote(parts.path.rstrip("/"), safe="/%"), headers)
        return verify_tiles(read, address, keys, tell)
    except (HTTPException, OSError) as error:
        words = f"{address} cannot be read: {error or type(error).__name__}"
        raise Malformed(words) from None
    finally:
        connection.close()


def _detail(problem: bytes) -> str:
    """What a problem document (RFC 9457) says."""
    try:
        return str(json.loads(problem)["detail"])
    except (ValueError, KeyError, TypeError):
        return "HTTP 503"


def _reading(
    connection: HTTPConnection, prefix: str, headers: dict[str, str]
) -> Callable[[str], bytes | None]:
    def read(name: str) -> bytes | None:
        connection.request("GET", f"{prefix}/{name}", headers=headers)
        answer = connection.getresponse()
        data = answer.read(LARGEST + 1)
        if answer.status == HTTPStatus.OK:
            return data
        if answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            return None
        if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
            raise Malformed(f"{name} cannot be had now: {_detail(data)}")
        why = ""
        if name.startswith("tile/entries/") and answer.status == HTTPStatus.FORBIDDEN:
            why = "; records of all tenants are for people in CHENU_AUDIT_SYSTEM_AUDITORS"
        raise Malformed(f"{name} was refused: HTTP {answer.status} {answer.reason}{why}")

    return read
