"""A real SMTP server in a thread of its own, for tests that know no asyncio."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.local.server import free_port
from tests.support.waiting import PATIENCE


@dataclass
class Mails:
    """What was posted, by recipient."""

    port: int
    received: dict[str, list[EmailMessage]] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        """What courier is told, to send its mails here."""
        return {
            "CHENU_COURIER_SMTP_HOST": "127.0.0.1",
            "CHENU_COURIER_SMTP_PORT": str(self.port),
            "CHENU_COURIER_SMTP_SECURITY": "none",
        }

    def wait_for(self, recipient: str, count: int = 1) -> list[EmailMessage]:
        """Until so many mails have come."""
        end = time.monotonic() + PATIENCE
        while len(found := self.received.get(recipient, [])) < count:
            assert time.monotonic() < end, f"{recipient} got {len(found)} mails"
            time.sleep(0.02)
        return found

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, _class=EmailMessage, policy=policy.default)
        for address in envelope.rcpt_tos:
            self.received.setdefault(address, []).append(mail)
        return "250 kept"


@contextmanager
def posted() -> Iterator[Mails]:
    """Listens on a free port."""
    mails = Mails(free_port())
    controller = Controller(mails, hostname="127.0.0.1", port=mails.port, ready_timeout=PATIENCE)
    controller.start()
    try:
        yield mails
    finally:
        controller.stop()
