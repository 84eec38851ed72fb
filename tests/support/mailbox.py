"""A real SMTP server that keeps what it is given, and misbehaves as the recipient's name says.

| recipient | what it does |
|---|---|
| later@… | answers 451 once, then takes it |
| nobody@… | answers 550 |
"""

import asyncio
import ssl
from collections import defaultdict
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.waiting import PATIENCE


class Mailbox:
    """Listens on a free port; `received` by recipient."""

    def __init__(
        self, port: int = 0, *, tls: ssl.SSLContext | None = None, implicit: bool = False
    ) -> None:
        self._tls, self._implicit = tls, implicit
        self.sessions: list[Session] = []
        """Of every mail that was taken: `session.ssl` tells how it came."""
        self.received: dict[str, list[EmailMessage]] = defaultdict(list)
        self.refused: dict[str, int] = defaultdict(int)
        self.port = port
        self.arrived = asyncio.Condition()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(
                self,
                hostname="localhost",
                loop=loop,
                tls_context=None if self._implicit else self._tls,
                require_starttls=bool(self._tls) and not self._implicit,
            ),
            "127.0.0.1",
            self.port,
            ssl=self._tls if self._implicit else None,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def wait_for(self, recipient: str, count: int = 1) -> list[EmailMessage]:
        """Until so many mails have come."""
        async with asyncio.timeout(PATIENCE), self.arrived:
            await self.arrived.wait_for(lambda: len(self.received[recipient]) >= count)
        return self.received[recipient]

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        name = address.partition("@")[0]
        if name == "nobody" or (name == "later" and not self.refused[address]):
            self.refused[address] += 1
            return "550 nobody here" if name == "nobody" else "451 come again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        self.sessions.append(session)
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, _class=EmailMessage, policy=policy.default)
        async with self.arrived:
            for address in envelope.rcpt_tos:
                self.received[address].append(mail)
            self.arrived.notify_all()
        return "250 kept"
