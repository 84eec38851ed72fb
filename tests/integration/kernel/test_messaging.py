"""NATS as it is: down, slow to come, wiped."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from chenu.events.v1.bundle_pb2 import Bundle
from deploy.local.nats_server import NatsServer
from kernel.context import new_id
from kernel.messaging import Messaging, NotPublished, acknowledge
from kernel.relay import Relay
from kernel.settings import SettingsError, SharedSettings
from tests.integration.kernel.relay_stage import Stage, make_event
from tests.integration.kernel.support import until
from tests.support.waiting import PATIENCE


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[NatsServer]:
    """A NATS of its own, to be stopped and wiped."""
    server = NatsServer(tmp_path / "nats", tmp_path / "nats.log")
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def messaging(broker: NatsServer) -> AsyncIterator[Messaging]:
    made = await connected(broker)
    yield made
    await made.close()


async def connected(broker: NatsServer, **options: Any) -> Messaging:
    """A connection that is there, and whose next subscription goes out at once."""
    made = await Messaging.connect(broker.url, **options)
    await asyncio.wait_for(made._connecting, PATIENCE)
    return made


class Consumer:
    """Reads bundles as audit does."""

    def __init__(self, messaging: Messaging, *, acknowledges: bool = True) -> None:
        self.received: list[bytes] = []
        self.acknowledges = acknowledges
        self._task = asyncio.create_task(self._read(messaging))

    async def _read(self, messaging: Messaging) -> None:
        async for batch in messaging.bundles("audit"):
            self.received += [message.data for message in batch]
            if self.acknowledges:
                await acknowledge(batch)

    def events(self) -> list[bytes]:
        bundles = [Bundle.FromString(data) for data in dict.fromkeys(self.received)]
        return [event for bundle in bundles for event in bundle.events]

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def restart(broker: NatsServer, *, wiped: bool) -> None:
    await asyncio.to_thread(broker.stop)
    if wiped:
        await asyncio.to_thread(broker.wipe)
    await asyncio.to_thread(broker.start)


async def test_a_bundle_arrives_and_its_repeat_does_not(messaging: Messaging) -> None:
    consumer = Consumer(messaging)
    for attempt in (0, 0, 1):
        await messaging.publish_bundle("sample", 7, attempt, b"seven")
    await messaging.publish_bundle("sample", 8, 0, b"eight")
    await until(lambda: b"eight" in consumer.received)
    assert consumer.received == [b"seven", b"seven", b"eight"]
    await consumer.stop()


async def test_what_is_not_acknowledged_is_not_gone(messaging: Messaging) -> None:
    lazy = Consumer(messaging, acknowledges=False)
    await messaging.publish_bundle("sample", 1, 0, b"one")
    await until(lambda: lazy.received == [b"one"])
    await lazy.stop()
    info = await messaging._client.jetstream().stream_info("AUDIT")
    assert info.state.messages == 1


async def test_a_service_starts_although_nats_is_down_and_connects_when_it_comes(
    broker: NatsServer,
) -> None:
    url = broker.url
    await asyncio.to_thread(broker.stop)
    messaging = await Messaging.connect(url)
    woken: list[bytes] = []

    async def wake(data: bytes) -> None:
        woken.append(data)

    await messaging.on_wake("test", wake)
    await messaging.wake("test", b"lost, and nobody minds")
    with pytest.raises(NotPublished):
        await messaging.publish_bundle("sample", 1, 0, b"one")
    await asyncio.to_thread(broker.start)
    await until(lambda: messaging.connected)
    await messaging.publish_bundle("sample", 1, 0, b"one")

    async def heard() -> bool:
        await messaging.wake("test", b"found")
        return woken[:1] == [b"found"]

    await until(heard)
    await messaging.close()


async def test_a_url_that_no_waiting_mends_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match="CHENU_NATS_URL"):
        await Messaging.connect("nats://127.0.0.1:none")


async def test_a_full_stream_refuses_and_keeps_what_it_has(broker: NatsServer) -> None:
    messaging = await connected(broker, max_bytes=3000)
    await messaging.publish_bundle("sample", 1, 0, b"x" * 1500)
    with pytest.raises(NotPublished, match="maximum bytes"):
        await messaging.publish_bundle("sample", 2, 0, b"x" * 1500)
    info = await messaging._client.jetstream().stream_info("AUDIT")
    assert info.state.first_seq == 1
    await messaging.close()


async def test_with_a_queue_name_one_of_the_group_is_woken(broker: NatsServer) -> None:
    woken: list[tuple[str, bytes]] = []
    members = [await connected(broker) for _ in range(3)]

    def listener(name: str) -> Any:
        async def listen(data: bytes) -> None:
            woken.append((name, data))
            if data == b"bad":
                raise RuntimeError("a listener that fails")

        return listen

    for n, member in enumerate(members):
        await member.on_wake("work", listener(f"queue{n}"), queue="workers")
        await member.on_wake("news", listener(f"all{n}"))
        for _ in range(2):  # a client's first ping overtakes its subscriptions
            await member._client.flush()  # the server knows of them
    for data in (b"bad", b"good"):
        await members[0].wake("work", data)
        await members[0].wake("news", data)
    await until(lambda: len(woken) == 8)
    assert sum(name.startswith("queue") for name, _ in woken) == 2
    for member in members:
        await member.close()


@pytest.mark.parametrize("wiped", [False, True])
async def test_events_survive_a_broker_that_is_stopped_or_wiped(
    stage: Stage,
    broker: NatsServer,
    monkeypatch: pytest.MonkeyPatch,
    wiped: bool,
) -> None:
    monkeypatch.setattr("kernel.relay.CHORES_SECONDS", 0.2)
    stage.shared = SharedSettings(relay_republish_seconds=1)
    messaging = await connected(broker)
    events = [make_event() for _ in range(30)]
    async with stage.relaying(messaging) as relay:
        assert isinstance(relay, Relay)
        for event in events[:10]:
            await stage.write(event)
        await asyncio.sleep(0.5)
        await restart(broker, wiped=wiped)
        for event in events[10:20]:
            await stage.write(event)
        consumer = Consumer(messaging)
        await until(lambda: len(consumer.received) > 0)
        await restart(broker, wiped=wiped)  # now also under a consumer
        for event in events[20:]:
            await stage.write(event)
        wanted = {event.bytes for event in events}
        await until(lambda: wanted <= set(consumer.events()))
        await consumer.stop()
    assert set(consumer.events()) == wanted
    await messaging.close()


async def test_a_wake_up_to_a_broken_connection_does_not_fail(broker: NatsServer) -> None:
    messaging = await connected(broker)
    await asyncio.to_thread(broker.stop)
    await messaging.wake(new_id(), b"x")
    await messaging.close()
    await asyncio.to_thread(broker.start)
