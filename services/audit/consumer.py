"""From JetStream into the log: commit first, acknowledge then, and tell the sources."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import structlog

from kernel.messaging import Messaging, acknowledge
from services.audit.intake import Intake
from services.audit.receipts import Receipts

CONSUMER: Final = "audit"
_log = structlog.get_logger(component="consumer")


async def consume(messaging: Messaging, intake: Intake, receipts: Receipts) -> None:
    """Take in what arrives, for ever; what is not committed is delivered again."""
    batches: AsyncIterator[Sequence[Any]] = messaging.bundles(CONSUMER)
    async for messages in batches:
        arrived = [(source_of(message.subject), message.data) for message in messages]
        stuck = await intake.take(arrived)
        await acknowledge([m for m in messages if source_of(m.subject) not in stuck])
        await receipts.send()


def source_of(subject: str) -> str:
    """The source whose bundles have this subject."""
    return f"chenu/{subject.removeprefix('audit.')}"
