"""What a run waits for, and what it does not wait for."""

from datetime import timedelta

import grpc
import pytest

from kernel.errors import DETAILS_KEY, ResourceExhausted
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

    patience = Patience(seconds=10)
    if tries == 1:
        with pytest.raises(grpc.aio.AioRpcError):
            await patience.call(attempt)
    else:
        assert await patience.call(attempt) == "done"
    assert tried == tries
