"""What a run says of a failure: the service's own words, and nothing of what carried them."""

from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from grpc.aio import Metadata

from chenu.nova.v1.run_pb2 import Run
from kernel.errors import DETAILS_KEY, FailedPrecondition
from services.nova.pipeline import _fail

LOST = "failed to connect to all addresses; last error: ipv4:127.0.0.1:50054: refused"


class Archived(FailedPrecondition):
    reason = "THREAD_ARCHIVED"


def rpc_error(code: grpc.StatusCode, text: str, status: bytes = b"") -> grpc.aio.AioRpcError:
    trailers = Metadata((DETAILS_KEY, status)) if status else Metadata()
    return grpc.aio.AioRpcError(code, Metadata(), trailers, details=text)


@pytest.mark.parametrize(
    ("error", "reason", "message"),
    [
        (
            rpc_error(grpc.StatusCode.UNAVAILABLE, LOST),
            "UNAVAILABLE",
            "a service it needs is not available",
        ),
        (rpc_error(grpc.StatusCode.INTERNAL, LOST), "INTERNAL", "an internal error"),
        (
            rpc_error(Archived.code, "it is archived", Archived("it is archived").status_bytes()),
            "THREAD_ARCHIVED",
            "it is archived",
        ),
    ],
    ids=["away", "broken", "refused"],
)
def test_a_failed_run_tells_no_address(error: Exception, reason: str, message: str) -> None:
    record: Any = SimpleNamespace(run=Run(), finish=lambda *_: None)
    _fail(record, error)
    assert (record.run.error_reason, record.run.error_message) == (reason, message)
