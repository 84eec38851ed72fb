"""Somebody else's server, as far as webhooks go: takes what is posted and keeps it."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from standardwebhooks import Webhook, WebhookVerificationError

from deploy.local.server import HOST


@dataclass(frozen=True)
class Received:
    """One message as it came."""

    headers: Mapping[str, str]
    body: bytes

    def signed_with(self, secret: str) -> bool:
        """Whether it carries a valid Standard Webhooks signature of that secret."""
        try:
            Webhook(secret).verify(self.body, dict(self.headers))
        except WebhookVerificationError:
            return False
        return True


class WebhookReceiver:
    """An HTTP server on a free port of this machine, for as long as the block lasts."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.status = 204
        """What it answers with."""
        self._server = ThreadingHTTPServer((HOST, 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def address(self) -> str:
        """`host:port`, as a setting allows it."""
        return f"{HOST}:{self._server.server_port}"

    @property
    def url(self) -> str:
        """Where to post to."""
        return f"http://{self.address}/hook"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.received.append(Received(headers, body))
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Says nothing: what came is in `received`."""

        return Handler
