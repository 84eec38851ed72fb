"""Settings of the gateway: `CHENU_GATEWAY_…`."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from kernel.settings import ServiceSettings


class GatewaySettings(ServiceSettings):
    """What the gateway accepts."""

    model_config = SettingsConfigDict(env_prefix="CHENU_GATEWAY_", frozen=True)

    listen: str = "127.0.0.1:8080"
    database_url: str = ""
    worker_database_url: str = ""
    max_body_bytes: int = Field(1 << 20, gt=0)
    """A larger request body is refused with 413."""
    cookie_secure: bool = False
    """Send cookies over HTTPS only; set it wherever the gateway is reached over HTTPS."""
    cors_origins: tuple[str, ...] = ("http://localhost:3000", "http://127.0.0.1:3000")
    """Origins whose pages may call, with credentials."""
    trusted_proxies: str = ""
    """Addresses or networks, with commas, whose X-Forwarded-For names the client; else nobody's."""
    call_seconds: float = Field(60, gt=0)
    """How long a call behind a request may take."""
