"""Who may connect to NATS, and what each may say and hear there.

Each service is a user of its own, with the password that it derives from its key. It publishes its
own bundles and nobody else's, and hears what concerns it; only audit takes bundles and says that
they are kept. So who has one service's key can put nothing into the log in another's name, wake
nobody in another's name, and does not read what the others record.
"""

from collections.abc import Mapping
from typing import Any, Final

from kernel.messaging import INBOXES, STREAM, nats_password
from kernel.tokens import SigningKey

WAKES: Final[Mapping[str, tuple[str, ...]]] = {
    "governance": (
        "courier.notices", "governance.freezes", "governance.rules", "nova.resolutions",
    ),
}  # fmt: skip
"""By service: the subjects of the wake-ups that it sends."""

WOKEN: Final[Mapping[str, tuple[str, ...]]] = {
    "courier": ("courier.notices", "governance.freezes"),
    "governance": ("governance.rules",),
    "nova": ("nova.resolutions",),
    "threads": ("governance.freezes",),
}
"""By service: the subjects of those that it listens to."""

_CONSUMER: Final = (
    f"$JS.API.STREAM.INFO.{STREAM}",
    f"$JS.API.CONSUMER.INFO.{STREAM}.audit",
    f"$JS.API.CONSUMER.CREATE.{STREAM}.audit",
    f"$JS.API.CONSUMER.CREATE.{STREAM}.audit.>",
    f"$JS.API.CONSUMER.DURABLE.CREATE.{STREAM}.audit",
    f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.audit",
    f"$JS.ACK.{STREAM}.audit.>",
)


def user(service: str, key: SigningKey) -> dict[str, Any]:
    """The service as the server's configuration takes a user: JSON, `authorization.users[]`."""
    says = [f"audit.{service}", *(f"wake.{subject}" for subject in WAKES.get(service, ()))]
    # Whoever finds that the stream is gone makes it again; nobody may change or delete it.
    says.append(f"$JS.API.STREAM.CREATE.{STREAM}")
    if service == "audit":
        says += _CONSUMER
    hears = [f"{INBOXES}.{service}.>", *(f"wake.{subject}" for subject in WOKEN.get(service, ()))]
    return {
        "user": service,
        "password": nats_password(key),
        "permissions": {"publish": {"allow": says}, "subscribe": {"allow": hears}},
    }
