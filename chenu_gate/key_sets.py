"""Permit keys by URL, for an executor that reaches governance through the gateway only.

gatekeeper = Gatekeeper("letters", TOOLBOX, keys_at("https://…/api/v2/governance/permit-keys"))
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit
from urllib.request import urlopen

_SECONDS = 5.0
_LONGEST = 256 * 1024


def keys_at(url: str) -> Callable[[], Awaitable[str]]:
    """What fetches the key set there: a JWKS document, or the gateway's answer that holds one."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"permit keys are fetched over HTTP: {url}")

    async def fetch() -> str:
        return await asyncio.to_thread(_fetch, url)

    return fetch


def _fetch(url: str) -> str:
    with urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310 - the scheme was looked at
        text = answer.read(_LONGEST).decode()
    document = json.loads(text)
    return str(document["jwks"]) if "jwks" in document else text
