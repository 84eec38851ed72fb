"""Any RPC, called with any bytes under any tokens."""

from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from kernel.errors import reason_of
from tests.support.fleet import Fleet
from tests.support.identity import Metadata


async def call(
    fleet: Fleet, service: str, method: MethodDescriptor, data: bytes, metadata: Metadata = ()
) -> tuple[str, str]:
    """The code and the reason that an RPC answers with; of a stream, after its first message."""
    channel = fleet.channel(service)
    make: Any = channel.unary_stream if method.server_streaming else channel.unary_unary
    rpc = make(
        f"/{method.containing_service.full_name}/{method.name}",
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )(data, metadata=metadata, timeout=20)
    try:
        if method.server_streaming:
            async for _ in rpc:
                break
            rpc.cancel()
        else:
            await rpc
    except grpc.aio.AioRpcError as error:
        return error.code().name, reason_of(error)
    return "OK", ""
