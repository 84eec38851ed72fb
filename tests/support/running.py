"""A service on a free port of this process, on real PostgreSQL and NATS.

async with running(PROGRAM, shared_settings(keys, nats_url, identity), urls) as service:
    stub = ThreadServiceStub(service.channel)
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kernel.messaging import Messaging
from kernel.migration import upgrade
from kernel.service import Program, Service
from kernel.settings import SharedSettings
from kernel.tokens import SigningKey
from tests.support.database_urls import DatabaseUrls
from tests.support.identity import StandInIdentity
from tests.support.waiting import soon


def shared_settings(
    keys: Path, nats_url: str, identity: StandInIdentity, **addresses: str
) -> SharedSettings:
    """Settings that make a service quick to stop, and point it to its stand-ins."""
    given: dict[str, Any] = {f"{service}_address": at for service, at in addresses.items()}
    return SharedSettings(
        environment="test",
        nats_url=nats_url,
        keys_dir=keys,
        identity_address=identity.address,
        drain_seconds=0,
        grace_seconds=1,
        **given,
    )


async def connected(messaging: Messaging) -> None:
    """Once NATS is reached and listens for it: a start waits a second, and goes on without."""

    async def there() -> bool:
        return messaging._connecting.done() and messaging.connected

    await soon(there, "NATS is reached")
    for _ in range(2):  # a client's first ping overtakes its subscriptions
        await messaging._client.flush()


@asynccontextmanager
async def running(
    program: Program[Any], shared: SharedSettings, urls: DatabaseUrls | None, **settings: Any
) -> AsyncIterator[Service[Any]]:
    """Migrate its schema, start it, stop it."""
    key_file = Path(shared.keys_dir) / f"{program.name}.pem"
    if not key_file.exists():
        SigningKey.generate(key_file)
    given: dict[str, Any] = {"listen": "127.0.0.1:0", "key_file": key_file} | settings
    if urls is not None:
        await upgrade(program.name, urls.admin)
        given |= {"database_url": urls.app, "worker_database_url": urls.worker}
    service = await Service.start(program, shared, program.settings_class(**given))
    try:
        await connected(service.messaging)
        yield service
    finally:
        await service.stop()
