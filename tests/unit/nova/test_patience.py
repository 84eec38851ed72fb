"""What a run waits for, and what it does not wait for."""

from datetime import timedelta

import grpc
import pytest

from kernel.errors import DETAILS_KEY, ResourceExhausted
from services.nova import patience
from services.nova.patience import Patience


def busy(wait: timedelta | None) -> grpc.aio.AioRpcError:
    """A service that has no room, and may say for how long."""
    details = ResourceExhausted("no room", retry_after=wait).status_bytes()
    return grpc.aio.AioRpcError(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.aio.Metadata(),
        grpc.aio.Metadata((DETAILS_KEY, details)),
    )


@pytest.mark.parametrize(
    ("wait", "tries"),
    [(None, 2), (timedelta(seconds=2), 2), (timedelta(hours=1), 1)],
    ids=["it does not say", "soon", "not in time"],
)
async def test_what_says_that_it_will_not_be_there_in_time_is_not_waited_for(
    wait: timedelta | None, tries: int
) -> None:
    tried = 0

    async def attempt() -> str:
        nonlocal tried
        tried += 1
        if tried == 1:
            raise busy(wait)
        return "done"

    ten_seconds = Patience(seconds=10)
    if tries == 1:
        with pytest.raises(grpc.aio.AioRpcError):
            await ten_seconds.call(attempt)
    else:
        assert await ten_seconds.call(attempt) == "done"
    assert tried == tries


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [(None, 0.0, 0.1), (timedelta(seconds=1), 0.0, 0.1), (timedelta(seconds=30), 30.0, 40.0)],
    ids=["nothing", "less than one waits anyway", "long"],
)
async def test_who_asks_for_a_long_pause_is_not_asked_again_before(
    monkeypatch: pytest.MonkeyPatch, said: timedelta | None, least: float, most: float
) -> None:
    """A provider whose rate limit is reached, above all."""
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async def attempt() -> str:
        if not pauses:
            raise busy(said)
        return "done"

    monkeypatch.setattr(patience, "sleep", pause)
    assert await Patience(seconds=100).call(attempt) == "done"
    (waited,) = pauses
    assert least <= waited <= most
