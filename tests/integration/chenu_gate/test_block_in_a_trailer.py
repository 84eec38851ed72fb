from __future__ import annotations

from typing import Any

import grpc
import pytest

from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint
from chenu_gate.block import MAX_BYTES, block_in, block_of, block_status
from tests.support.actions import DEFINITION

METHOD = "/chenu.test.Blocked/Call"


@pytest.mark.parametrize("count", [1, 10, 200])
async def test_the_largest_block_arrives_as_it_was_sent(count: int) -> None:
    checkpoint = BlockedCheckpoint(
        checkpoint_id="c" * 36,
        action_digest=DEFINITION,
        view_digest=DEFINITION,
        question="é" * 5_000,
        preview="漢" * 5_000,
    )
    status = block_status("r" * 36, [checkpoint] * count)

    async def call(_: bytes, context: Any) -> bytes:
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, status.message)
        return b""

    server = grpc.aio.server()
    handler: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(call)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("chenu.test.Blocked", {"Call": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    # Ten times: beyond its soft limit gRPC refuses metadata at random.
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        blocked: Any = channel.unary_unary(METHOD)
        for _ in range(10):
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await blocked(b"")
            assert failed.value.code() is grpc.StatusCode.FAILED_PRECONDITION
            assert block_of(failed.value) == block_in(status)
    await server.stop(None)

    assert status.ByteSize() > MAX_BYTES - 400 or count == 1
