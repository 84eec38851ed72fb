"""The two signatures of Standard Webhooks: v1 by a shared secret, v1a by a key pair."""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks import Webhook

PRIVATE_PREFIX: Final = "whsk_"
PUBLIC_PREFIX: Final = "whpk_"
_USER_AGENT: Final = "CHE-NU-courier/1"


def new_signing_key() -> str:
    """A private key for v1a."""
    return PRIVATE_PREFIX + b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()


def public_key(signing_key: str) -> str:
    """What receivers verify v1a with."""
    return PUBLIC_PREFIX + b64encode(_private(signing_key).public_key().public_bytes_raw()).decode()


def headers(
    webhook_id: str, body: str, secret: str, signing_key: str, now: datetime | None = None
) -> dict[str, str]:
    """The headers of a request: id, time and body under both signatures."""
    at = now or datetime.now(UTC)
    timestamp = int(at.timestamp())
    signed = f"{webhook_id}.{timestamp}.{body}".encode()
    asymmetric = b64encode(_private(signing_key).sign(signed)).decode()
    return {
        "content-type": "application/json",
        "user-agent": _USER_AGENT,
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"{Webhook(secret).sign(webhook_id, at, body)} v1a,{asymmetric}",
    }


def _private(signing_key: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(b64decode(signing_key.removeprefix(PRIVATE_PREFIX)))
