"""A bundle is acknowledged when it is in the log and not before; what is stuck comes again soon."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest

from kernel.messaging import Messaging
from services.audit import consumer
from services.audit.consumer import consume, source_of
from services.audit.intake import Intake


class Message:
    """What NATS delivers, and how it was answered."""

    def __init__(self, source: str, happened: list[str]) -> None:
        self.subject, self.data, self._happened = f"audit.{source}", b"", happened

    async def ack(self) -> None:
        self._happened.append(f"ack {self.subject}")

    async def nak(self, delay: float) -> None:
        self._happened.append(f"again {self.subject}")


class OneBatch:
    """A stream that delivers once."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = messages

    async def bundles(self, _consumer: str) -> AsyncIterator[Sequence[Message]]:
        yield self._messages


class Playing:
    """An intake that says what it did; `stuck` sources are not taken, a `failure` is raised."""

    def __init__(
        self, happened: list[str], stuck: set[str], failure: Exception | None = None
    ) -> None:
        self._happened, self._stuck, self._failure = happened, stuck, failure

    async def take(self, _arrived: Any) -> set[str]:
        if self._failure:
            raise self._failure
        self._happened.append("commit")
        return self._stuck


async def consumed(
    stuck: set[str], failure: Exception | None = None, monkeypatch: Any = None
) -> list[str]:
    happened: list[str] = []
    batch = OneBatch([Message("threads", happened), Message("nova", happened)])
    try:
        await consume(cast(Messaging, batch), cast(Intake, Playing(happened, stuck, failure)))
    except OSError:
        happened.append("failed")
    return happened


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "_PAUSE_SECONDS", 0.0)


async def test_what_is_committed_is_acknowledged_after_it() -> None:
    assert await consumed(set()) == ["commit", "ack audit.threads", "ack audit.nova"]


async def test_what_could_not_be_committed_is_not_acknowledged() -> None:
    assert await consumed(set(), OSError("the database is away")) == ["failed"]


async def test_a_source_with_a_hole_is_delivered_again_and_the_others_are_done() -> None:
    happened = await consumed({"chenu/nova"})
    assert happened == ["commit", "ack audit.threads", "again audit.nova"]


def test_a_subject_that_no_source_has_becomes_a_name_that_any_index_can_hold() -> None:
    assert source_of("audit.threads") == "chenu/threads"
    names = {source_of(f"audit.{name}") for name in ("x" * 4000, "y" * 4000, "a\0b", "é", "")}
    assert len(names) == 5
    assert all(len(name) < 80 and name.isascii() and "\0" not in name for name in names)
