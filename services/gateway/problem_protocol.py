"""uvicorn's HTTP protocol, whose own two answers are problems like all others of the gateway."""

from typing import Any, Final

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.gateway.problems import plain
from services.gateway.security_headers import HEADERS

_HEADERS: Final = {**HEADERS, "Connection": "close"}


class ProblemProtocol(H11Protocol):
    """One connection; a request that is none is 400, and one too many 503."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        # uvicorn would count them, and answer in plain text.
        self._most, self.limit_concurrency = self.limit_concurrency, None
        self._served, self.app = self.app, self._unless_crowded

    async def _unless_crowded(self, scope: Scope, receive: Receive, send: Send) -> None:
        served: Any = self._served
        if self._most is not None and len(self.connections) >= self._most:
            crowded = "as many connections as there may be are open"
            headers = _HEADERS | {"Retry-After": "1"}
            served = plain(503, "Service unavailable", crowded, headers)
        await served(scope, receive, send)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  the signature is uvicorn's
        """What came is no HTTP."""
        problem = plain(400, "Bad request", "this is no request of HTTP/1.1", _HEADERS)
        for event in (
            h11.Response(status_code=400, headers=problem.raw_headers, reason=b"Bad Request"),
            h11.Data(data=bytes(problem.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
