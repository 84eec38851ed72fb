"""From JetStream into the log: commit first, acknowledge then."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from typing import Any, Final

import structlog

from kernel.messaging import Messaging, acknowledge, postpone
from services.audit.intake import Intake

CONSUMER: Final = "audit"
# Each batch costs a commit and a signed head, however small it is: while much comes, more of it
# is waited for.
_PAUSE_SECONDS: Final = 0.05
_BUSY_PAUSE_SECONDS: Final = 0.25
_BUSY_BUNDLES: Final = 3
_AGAIN_SECONDS: Final = 2.0  # a source with a hole is asked again
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
_log = structlog.get_logger(component="consumer")


async def consume(messaging: Messaging, intake: Intake) -> None:
    """Take in what arrives, for ever; what is not committed is delivered again."""
    batches: AsyncIterator[Sequence[Any]] = messaging.bundles(CONSUMER)
    async for messages in batches:
        arrived = [(source_of(message.subject), message.data) for message in messages]
        stuck = await intake.take(arrived)
        await acknowledge([m for m in messages if source_of(m.subject) not in stuck])
        await postpone([m for m in messages if source_of(m.subject) in stuck], _AGAIN_SECONDS)
        busy = len(messages) >= _BUSY_BUNDLES
        await asyncio.sleep(_BUSY_PAUSE_SECONDS if busy else _PAUSE_SECONDS)


def source_of(subject: str) -> str:
    """The source whose bundles have this subject; a digest in place of what no source is called."""
    name = subject.removeprefix("audit.")
    if not _NAME.fullmatch(name):  # no index could hold whatever somebody puts there
        name = sha256(name.encode(errors="replace")).hexdigest()
    return f"chenu/{name}"
