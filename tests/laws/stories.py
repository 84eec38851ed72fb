"""What the tests of the laws do again and again before they break one."""

from collections.abc import Awaitable
from typing import Any, TypeVar

import grpc
import pytest

from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint, CheckpointBlock
from kernel.errors import detail, reason_of
from tests.support.fleet import Client

T = TypeVar("T")


async def blocked(me: Client, text: str, **fields: Any) -> CheckpointBlock:
    """Run a request that must block; what it waits for."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await me.execute(text, **fields)
    assert reason_of(refused.value) == "CHECKPOINT_REQUIRED", refused.value
    block = detail(refused.value, CheckpointBlock)
    assert block is not None
    return block


async def doomed(me: Client, title: str = "Doomed") -> tuple[str, BlockedCheckpoint]:
    """A thread whose deletion waits: the run, and the checkpoint."""
    await me.new_thread(title)
    block = await blocked(me, f"Delete the thread “{title}”")
    (checkpoint,) = block.checkpoints
    return block.run_id, checkpoint


async def reason(call: Awaitable[Any]) -> tuple[str, str]:
    """The code and the reason of a refused call; AssertionError where it was not refused."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code().name, reason_of(error)
    raise AssertionError("it was not refused")
