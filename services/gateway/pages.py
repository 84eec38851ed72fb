"""The pages that need no log-in: what this is, whether it lives, and the browsable contract."""

import base64
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

_SCRIPT_MARK: Final = ("<script>", "</script>")
_STYLE_MARK: Final = ("<style>", "</style>")


async def welcome(_: Request) -> Response:
    """Where to go from here."""
    return JSONResponse(
        {
            "name": "CHE·NU",
            "documentation": "/docs",
            "openapi": "/openapi.json",
            "health": "/health",
            "log_in": "/api/v2/auth/login",
        }
    )


async def health(_: Request) -> Response:
    """Whether this process answers."""
    return JSONResponse({"status": "serving"})


async def docs(_: Request) -> Response:
    """A page that reads /openapi.json; its own script and style, and nobody else's."""
    page, policy = _docs()
    headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"}
    return HTMLResponse(page, headers=headers)


@cache
def _docs() -> tuple[str, str]:
    page = files("services.gateway").joinpath("docs.html").read_text()
    script, style = (_hash(page, *mark) for mark in (_SCRIPT_MARK, _STYLE_MARK))
    policy = (
        f"default-src 'none'; script-src '{script}'; style-src '{style}';"
        " connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    return page, policy


def _hash(page: str, start: str, end: str) -> str:
    content = page.partition(start)[2].partition(end)[0]
    return "sha256-" + base64.b64encode(sha256(content.encode()).digest()).decode()
