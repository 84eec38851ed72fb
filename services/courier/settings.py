"""Settings of the courier service: `CHENU_COURIER_…`."""

from pathlib import Path
from typing import Literal, NamedTuple, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from kernel.settings import ServiceSettings
from services.courier.addresses import AddressPolicy


class MailSettings(NamedTuple):
    """How mails leave."""

    host: str
    port: int
    security: str
    username: str
    password: str
    sender: str
    ca_file: str


class CourierSettings(ServiceSettings):
    """How and where to messages are sent."""

    model_config = SettingsConfigDict(env_prefix="CHENU_COURIER_", frozen=True)

    listen: str = "127.0.0.1:50057"
    allowed_private: str = ""
    """Private addresses that may be called all the same: `host:port` or networks, with commas."""
    allowed_ports: str = "80,443,8080,8443"
    """Ports that may be called at public addresses: numbers and ranges, with commas."""
    secrets_key_file: Path | None = None
    """Encrypts endpoints' secrets; made when missing; default `<keys_dir>/courier.secrets`."""
    timeout_seconds: float = Field(8, gt=0)
    """How long one attempt may take, from the first packet to the answer."""
    attempts: int = Field(3, ge=1, le=10)
    """How often one delivery is tried, where trying again can do no harm."""
    retry_seconds: float = Field(0.5, ge=0)
    """How long the first retry waits; each later one twice as long."""
    sweep_seconds: float = Field(5, gt=0)
    """How often deliveries whose end was never recorded are looked for."""

    notify_seconds: float = Field(2, gt=0)
    """How often notices and what is due are looked for; a wake-up comes sooner."""
    notify_timeout_seconds: float = Field(15, gt=0)
    """How long one attempt to notify may take."""
    clock_offset_seconds: float = 0.0
    """Moves the clock of notifications (for tests)."""
    smtp_host: str = ""
    """The server that mails are sent by; without one there are no mail channels."""
    smtp_port: int = Field(587, ge=1, le=65535)
    """Its port."""
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection to it is protected."""
    smtp_username: str = ""
    """Who logs in there; empty where nobody does."""
    smtp_password_file: Path | None = None
    """Holds the password."""
    smtp_ca_file: Path | None = None
    """Certificates of those who may vouch for the server, in the place of the system's."""
    decide_uri: str = "http://localhost:8080/decide?ballot={ballot}"
    """Where a person decides from a mail, at the gateway as people reach it."""
    mail_from: str = "chenu@localhost"
    """The sender of mails."""

    @model_validator(mode="after")
    def _can_log_in(self) -> Self:
        if self.smtp_username and self.smtp_password_file is None:
            raise ValueError("smtp_username needs smtp_password_file")
        return self

    @field_validator("decide_uri")
    @classmethod
    def _names_the_ballot(cls, uri: str) -> str:
        if "{ballot}" not in uri:
            raise ValueError("must contain {ballot}")
        return uri

    @field_validator("allowed_private")
    @classmethod
    def _names_addresses(cls, value: str) -> str:
        AddressPolicy.parse(value, "")
        return value

    @field_validator("allowed_ports")
    @classmethod
    def _names_ports(cls, value: str) -> str:
        AddressPolicy.parse("", value)
        return value

    @property
    def policy(self) -> AddressPolicy:
        """What the two address settings come to."""
        return AddressPolicy.parse(self.allowed_private, self.allowed_ports)

    @property
    def running_seconds(self) -> float:
        """After this time a delivery without a recorded end counts as UNKNOWN."""
        waits = sum(self.retry_seconds * float(2**retry) for retry in range(self.attempts - 1))
        return self.attempts * self.timeout_seconds + waits + 15

    @property
    def mail(self) -> MailSettings:
        """How mails leave, with the password read from its file."""
        file = self.smtp_password_file
        return MailSettings(
            self.smtp_host,
            self.smtp_port,
            self.smtp_security,
            self.smtp_username,
            file.read_text(encoding="utf-8").strip() if file else "",
            self.mail_from,
            str(self.smtp_ca_file or ""),
        )
