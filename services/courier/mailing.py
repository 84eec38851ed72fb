"""Mails, by the SMTP server that the settings name."""

from __future__ import annotations

import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

import aiosmtplib

from kernel.database import Record
from services.courier.notifications import Tried
from services.courier.settings import MailSettings

_PERMANENT: Final = 500


class Mailer:
    """Sends mails of plain text: nothing in them is executed, fetched or hidden."""

    def __init__(self, settings: MailSettings, timeout: float) -> None:
        self._settings, self._timeout = settings, timeout

    @property
    def configured(self) -> bool:
        """Whether there is a server to send with."""
        return bool(self._settings.host)

    async def send(self, to: str, notification: Record, subject: str, text: str) -> Tried:
        """Try once. The same notification always has the same Message-ID."""
        settings = self._settings
        if not settings.host:
            return Tried("MAIL_NOT_CONFIGURED")
        try:
            await aiosmtplib.send(
                self._mail(to, notification, subject, text),
                hostname=settings.host,
                port=settings.port,
                username=settings.username or None,
                password=settings.password or None,
                use_tls=settings.security == "tls",
                start_tls=settings.security == "starttls",
                cert_bundle=settings.ca_file or None,
                timeout=self._timeout,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            return _refused(error.recipients[0].code)
        except aiosmtplib.SMTPResponseException as error:
            return _refused(error.code)
        except TimeoutError:
            return Tried("TIMEOUT")
        except (aiosmtplib.SMTPException, OSError) as error:
            tls = isinstance(error.__cause__ or error, ssl.SSLError)
            return Tried("TLS_FAILED" if tls else "CONNECT_FAILED")
        return Tried("OK", 250)

    def _mail(self, to: str, notification: Record, subject: str, text: str) -> EmailMessage:
        sender = self._settings.sender
        domain = sender.rpartition("@")[2]
        thread = f"<{notification['checkpoint_id'] or notification['channel_id']}@{domain}>"
        mail = EmailMessage(policy=SMTP)
        mail["From"] = f"CHE·NU <{sender}>"
        mail["To"] = to
        # Decoded, an encoded word could hold other headers, and another body before this one.
        mail["Subject"] = subject.replace("=?", "= ?")
        mail["Date"] = format_datetime(notification["create_time"])
        mail["Message-ID"] = f"<{notification['notification_id']}@{domain}>"
        mail["In-Reply-To"] = thread
        mail["References"] = thread
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text)
        return mail


def _refused(code: int) -> Tried:
    """A server's no: of the sort 5xx it is for good."""
    return Tried(f"SMTP_{code}", code, final=code >= _PERMANENT)
