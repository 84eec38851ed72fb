"""NATS, isolated here with all its hazards: audit bundles, and wake-ups.

    await service.messaging.wake("nova.resolutions", run_id.encode())
    await service.messaging.on_wake("nova.resolutions", self.resume, queue="nova")
    async for batch in service.messaging.bundles("audit"):      # the audit service only
        ...commit...; await acknowledge(batch)

NATS may be down or wiped at any moment. A wake-up (core NATS, at most once)
only saves waiting: what must happen is a row, and a sweeper or a cursor finds it
when the wake-up was lost. With a queue name one subscriber of the group gets it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, Self

import nats
import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from kernel.settings import SettingsError
from kernel.tokens import SigningKey

STREAM: Final = "AUDIT"
INBOXES: Final = "_INBOX"
DUPLICATE_WINDOW_SECONDS: Final = 600
_PENDING_BYTES: Final = 32 << 20  # the client's default of 2 MiB holds three bundles
_EMPTY_FETCHES: Final = 5
_log: Final = structlog.get_logger(component="messaging")
Callback = Callable[[bytes], Awaitable[None]]


class NotPublished(Exception):
    """No acknowledgement came; the bundle may or may not be in the stream."""


class Messaging:
    """One connection, which is made and made again for as long as the process lives."""

    def __init__(self, url: str, *, max_bytes: int, name: str, password: str | None) -> None:
        self._url, self._name, self._max_bytes = url, name, max_bytes
        # Credentials that stand in the URL are meant to be used.
        self._password = None if "@" in url else password
        self._client = Client()
        self._connecting: asyncio.Task[None]
        self._on_connect: list[Callable[[], Awaitable[Any]]] = []

    @classmethod
    async def connect(
        cls, url: str, *, max_bytes: int = 1 << 30, name: str = "chenu", password: str | None = None
    ) -> Self:
        """Begin to connect, as the user `name`; that NATS is down is no reason not to start."""
        messaging = cls(url, max_bytes=max_bytes, name=name, password=password)
        messaging._connecting = asyncio.create_task(messaging._connect())
        await asyncio.wait({messaging._connecting}, timeout=1)
        if messaging._connecting.done() and (error := messaging._connecting.exception()):
            raise SettingsError(f"CHENU_NATS_URL: {error}")  # that, no waiting mends
        return messaging

    async def close(self) -> None:
        """Close the connection; nothing is waited for."""
        self._connecting.cancel()
        await asyncio.gather(self._connecting, return_exceptions=True)
        if self._client.is_closed:
            return
        try:
            await self._client.close()
        except asyncio.CancelledError:  # of a reader of the client's own, which it waits for
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise

    @property
    def connected(self) -> bool:
        """Whether NATS can be reached now."""
        return self._client.is_connected

    async def publish_bundle(self, source: str, number: int, attempt: int, data: bytes) -> None:
        """Have JetStream keep a bundle; NotPublished unless it says that it did.

        The stream drops a message id that it has seen, so a bundle that must
        arrive again takes the next attempt. A lost stream is made again.
        """
        for _ in range(2):
            try:
                return await self._publish(source, data, f"{source}/{number}/{attempt}")
            except (NoStreamResponseError, NotFoundError):
                await self._make_stream()
            except (nats.errors.Error, APIError, TimeoutError, OSError) as error:
                raise NotPublished(str(error) or repr(error)) from error
        raise NotPublished("there is no stream")

    async def bundles(self, consumer: str, *, batch: int = 16) -> AsyncIterator[Sequence[Msg]]:
        """Batches of bundles until `close`; each is yielded again until it is acknowledged."""
        while not self._client.is_closed:  # then the client takes a cancellation for an error
            try:
                async for messages in self._fetch(await self._pull(consumer), batch):
                    yield messages
            except (NotFoundError, NoStreamResponseError):
                await self._make_stream_quietly()
            except (nats.errors.Error, TimeoutError, OSError) as error:
                _log.warning("consumer interrupted", error=repr(error))
            await asyncio.sleep(0.2)

    async def wake(self, subject: str, data: bytes = b"") -> None:
        """Wake whoever listens, at most once; never fails."""
        try:
            if self.connected:
                await self._client.publish(f"wake.{subject}", data)
        except (nats.errors.Error, OSError) as error:
            _log.warning("wake-up lost", subject=subject, error=repr(error))

    async def on_wake(self, subject: str, callback: Callback, queue: str = "") -> None:
        """Have `callback` called with the data of each wake-up that arrives."""

        async def handle(message: Msg) -> None:
            try:
                await callback(message.data)
            except Exception as error:  # noqa: BLE001 - the row is still there for the sweeper
                _log.warning("wake-up not handled", subject=subject, exc_info=error)

        subscribe = partial(self._client.subscribe, f"wake.{subject}", queue, cb=handle)
        if self._connecting.done():
            await subscribe()
        else:
            self._on_connect.append(subscribe)

    async def _connect(self) -> None:
        await self._client.connect(
            self._url,
            name=self._name,
            user=self._name,
            password=self._password,
            inbox_prefix=f"{INBOXES}.{self._name}",  # what is answered is for nobody else
            error_cb=_note,
            connect_timeout=2,
            reconnect_time_wait=1,
            max_reconnect_attempts=-1,  # the default gives up for good after two minutes
            pending_size=_PENDING_BYTES,
            ping_interval=20,
        )
        for subscribe in self._on_connect:
            await subscribe()

    async def _publish(self, source: str, data: bytes, message_id: str) -> None:
        if not self.connected:
            raise nats.errors.ConnectionClosedError
        headers = {"Nats-Msg-Id": message_id}
        await self._client.jetstream().publish(
            f"audit.{source}", data, timeout=5, stream=STREAM, headers=headers
        )

    async def _make_stream(self) -> None:
        try:
            await self._client.jetstream(timeout=5).add_stream(
                StreamConfig(
                    name=STREAM,
                    subjects=["audit.>"],
                    storage=StorageType.FILE,
                    retention=RetentionPolicy.WORK_QUEUE,  # an acknowledged bundle frees its space
                    discard=DiscardPolicy.NEW,  # a full stream refuses; it never eats what it has
                    max_bytes=self._max_bytes,
                    duplicate_window=DUPLICATE_WINDOW_SECONDS,
                )
            )
            _log.info("stream made", stream=STREAM)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise NotPublished(str(error) or repr(error)) from error

    async def _make_stream_quietly(self) -> None:
        try:
            await self._make_stream()
        except NotPublished as error:
            _log.warning("no stream", error=str(error))

    async def _pull(self, consumer: str) -> Any:
        if not self.connected:
            raise nats.errors.ConnectionClosedError
        return await self._client.jetstream(timeout=5).pull_subscribe(
            "audit.>",
            durable=consumer,
            stream=STREAM,
            config=ConsumerConfig(ack_wait=30, max_deliver=-1, max_ack_pending=512),
        )

    async def _fetch(self, subscription: Any, batch: int) -> AsyncIterator[Sequence[Msg]]:
        """Until the subscription is silent although something is pending (nats.py#504, #986)."""
        empty = 0
        try:
            while empty < _EMPTY_FETCHES or not (await subscription.consumer_info()).num_pending:
                try:
                    # Short: a fetch behind an orphaned pull lasts its whole timeout.
                    yield await subscription.fetch(batch, timeout=0.5)
                    empty = 0
                except TimeoutError:
                    empty = (empty + 1) % (_EMPTY_FETCHES + 1)
        finally:
            with suppress(nats.errors.Error, OSError):  # it was gone
                await subscription.unsubscribe()


def nats_password(key: SigningKey) -> str:
    """By which the service that has this key is known to NATS: text of 64 letters."""
    return key.secret("nats").hex()


async def acknowledge(messages: Sequence[Msg]) -> None:
    """Say that these are kept for good; one that was not heard comes again, which is harmless."""
    await _answer(messages, lambda message: message.ack())


async def postpone(messages: Sequence[Msg], seconds: float) -> None:
    """Have these delivered again soon, and not only after the wait for an acknowledgement."""
    await _answer(messages, lambda message: message.nak(delay=seconds))


async def _answer(messages: Sequence[Msg], answer: Callable[[Msg], Awaitable[None]]) -> None:
    for message in messages:
        try:
            await answer(message)
        except (nats.errors.Error, OSError) as error:
            _log.warning("not answered", error=repr(error))


async def _note(error: Exception) -> None:
    _log.warning("nats", error=repr(error))
