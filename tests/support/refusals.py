"""What a call was refused with."""

from collections.abc import Awaitable
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from kernel.errors import detail


async def refused(call: Awaitable[Any], code: grpc.StatusCode, reason: str) -> ErrorInfo:
    """The ErrorInfo of the refusal; fails the test where the call is not refused so."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    info = detail(failure.value, ErrorInfo)
    assert info is not None
    assert (failure.value.code(), info.reason) == (code, reason)
    return info
