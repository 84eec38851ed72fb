"""Settings of the gateway: `CHENU_GATEWAY_…`."""

from typing import Final

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from kernel.settings import ServiceSettings

_LAST_PORT: Final = 65_535


class GatewaySettings(ServiceSettings):
    """What the gateway accepts."""

    model_config = SettingsConfigDict(env_prefix="CHENU_GATEWAY_", frozen=True)

    listen: str = "127.0.0.1:8080"
    database_url: str = ""
    worker_database_url: str = ""
    max_body_bytes: int = Field(1 << 20, gt=0)
    """A larger request body is refused with 413."""
    body_seconds: float = Field(30, gt=0)
    """A request body that has not come by then is refused with 408."""
    streams_per_person: int = Field(20, gt=0)
    """How many event streams one person may have open in each gateway; more are 429."""
    max_connections: int = Field(1000, gt=0)
    """With so many connections open, further requests are answered 503."""
    cookie_secure: bool = False
    """Send cookies over HTTPS only; set it wherever the gateway is reached over HTTPS."""
    cors_origins: tuple[str, ...] = ("http://localhost:3000", "http://127.0.0.1:3000")
    """Origins whose pages may call, with credentials."""
    trusted_proxies: str = ""
    """Addresses or networks, with commas, whose X-Forwarded-For names the client; else nobody's."""
    call_seconds: float = Field(60, gt=0)
    """How long a call behind a request may take."""

    @field_validator("listen")
    @classmethod
    def _address(cls, listen: str) -> str:
        port = listen.rpartition(":")[2]
        if not (port.isdecimal() and int(port) <= _LAST_PORT):
            raise ValueError("takes host:port")
        return listen

    @field_validator("cors_origins")
    @classmethod
    def _named(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        # Any page at all could call with the cookies of whoever looks at it.
        if "*" in origins:
            raise ValueError("name each origin; `*` would let every page call with credentials")
        return origins
