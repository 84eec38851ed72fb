"""What governance says on NATS to whoever runs runs."""

from collections.abc import Awaitable
from typing import Any

import nats

from chenu.governance.v1.resolution_service_pb2 import WakeUp
from tests.support.waiting import PATIENCE


async def woken_by(nats_url: str, *changes: Awaitable[Any]) -> list[WakeUp]:
    """What is heard when these are made one after another."""
    connection = await nats.connect(nats_url)
    try:
        woken = await connection.subscribe("wake.nova.resolutions")
        for _ in range(2):  # a client's first ping overtakes its subscription
            await connection.flush()
        heard = []
        for change in changes:
            await change
            heard.append(WakeUp.FromString((await woken.next_msg(timeout=PATIENCE)).data))
        return heard
    finally:
        await connection.close()
