"""What a client hears of a failure, and what not."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, PreconditionFailure, RetryInfo
from google.rpc.status_pb2 import Status
from structlog.testing import capture_logs

from kernel.errors import (
    AuditBacklog,
    FailedPrecondition,
    Forbidden,
    detail,
    reason_of,
    relayed,
)
from tests.unit.kernel import sample
from tests.unit.kernel.conftest import Running
from tests.unit.kernel.sample import Request, bearer
from tests.unit.kernel.test_interceptors import refused


async def test_what_nobody_expected_is_internal_and_says_nothing(running: Running) -> None:
    def explode(_: Any) -> None:
        raise RuntimeError("SELECT secret FROM /etc/passwd")

    running.servicer.behave = explode
    metadata = [*bearer(running.issuer.access()), ("x-request-id", "req-17")]
    with capture_logs() as logs:
        error = await refused(running.stub.Echo(Request(), metadata=metadata))
    assert error.code() is grpc.StatusCode.INTERNAL
    info = detail(error, ErrorInfo)
    assert info is not None
    assert (info.reason, dict(info.metadata)) == ("INTERNAL", {"request_id": "req-17"})
    assert "secret" not in str(error.details()) + str(error.trailing_metadata())
    assert any(log["event"] == "unexpected error" for log in logs)


@pytest.mark.parametrize(
    ("raised", "code", "reason"),
    [
        (asyncpg.ConnectionDoesNotExistError("x"), "UNAVAILABLE", "UNAVAILABLE"),
        (asyncpg.AdminShutdownError("x"), "UNAVAILABLE", "UNAVAILABLE"),
        (asyncpg.CannotConnectNowError("x"), "UNAVAILABLE", "UNAVAILABLE"),
        (asyncpg.TooManyConnectionsError("x"), "UNAVAILABLE", "UNAVAILABLE"),
        (asyncpg.DiskFullError("x"), "UNAVAILABLE", "UNAVAILABLE"),
        (asyncpg.ReadOnlySQLTransactionError("x"), "UNAVAILABLE", "UNAVAILABLE"),
        (ConnectionRefusedError("x"), "UNAVAILABLE", "UNAVAILABLE"),
        (asyncpg.QueryCanceledError("x"), "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"),
        (TimeoutError(), "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"),
        (asyncpg.UniqueViolationError("Key (email)=(a@b)"), "INTERNAL", "INTERNAL"),
        (asyncio.CancelledError(), "UNAVAILABLE", "UNAVAILABLE"),
    ],
)
async def test_failures_of_what_we_stand_on_have_their_codes(
    running: Running, raised: BaseException, code: str, reason: str
) -> None:
    def fail(_: Any) -> None:
        raise raised

    running.servicer.behave = fail
    error = await refused(
        running.stub.Echo(Request(), metadata=bearer(running.issuer.access()), timeout=30)
    )
    assert (error.code().name, reason_of(error)) == (code, reason)
    assert "a@b" not in str(error)


async def test_an_error_says_when_to_come_again(running: Running) -> None:
    def fail(_: Any) -> None:
        raise AuditBacklog

    running.servicer.behave = fail
    metadata = bearer(running.issuer.access())
    error = await refused(running.stub.Echo(Request(), metadata=metadata, timeout=30))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNAVAILABLE, "AUDIT_BACKLOG")
    retry = detail(error, RetryInfo)
    assert retry is not None
    assert retry.retry_delay.ToTimedelta() == timedelta(seconds=5)
    assert dict(error.trailing_metadata() or ())["grpc-retry-pushback-ms"] == "5000"


async def test_foreign_and_missing_are_refused_byte_for_byte_alike(running: Running) -> None:
    def fail(request: Any) -> None:
        raise Forbidden(subject=f"thread/{request.text}")

    running.servicer.behave = fail
    metadata = bearer(running.issuer.access())
    statuses = set()
    for text in ("foreign", "missing"):
        error = await refused(running.stub.Echo(Request(text=text), metadata=metadata))
        statuses.add((error.code(), error.details(), tuple(error.trailing_metadata() or ())))
    assert len(statuses) == 1


async def test_a_downstream_error_travels_on_byte_for_byte(running: Running) -> None:
    block = PreconditionFailure(
        violations=[PreconditionFailure.Violation(type="CHECKPOINT", subject="c1")]
    )

    class Blocked(FailedPrecondition):
        reason = "CHECKPOINT_REQUIRED"

    def fail(_: Any) -> None:
        raise Blocked("a person must decide", details=[block], checkpoint_id="c1")

    running.servicer.behave = fail
    metadata = bearer(running.issuer.access())
    first = await refused(running.stub.Echo(Request(), metadata=metadata))

    def relay(_: Any) -> None:
        raise relayed(first)

    running.servicer.behave = relay
    second = await refused(running.stub.Echo(Request(), metadata=metadata))
    assert second.details() == first.details()
    assert second.trailing_metadata() == first.trailing_metadata()
    carried = detail(second, PreconditionFailure)
    assert carried == block


@pytest.mark.parametrize(
    ("code", "becomes"),
    [
        (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
        (grpc.StatusCode.NOT_FOUND, "INTERNAL"),
        (grpc.StatusCode.PERMISSION_DENIED, "INTERNAL"),
    ],
)
async def test_a_downstream_error_that_nobody_handled_is_our_own_failure(
    running: Running, code: grpc.StatusCode, becomes: str
) -> None:
    def fail(_: Any) -> None:
        raise grpc.aio.AioRpcError(
            code, grpc.aio.Metadata(), grpc.aio.Metadata(), "from below", None
        )

    running.servicer.behave = fail
    metadata = bearer(running.issuer.access())
    error = await refused(running.stub.Echo(Request(), metadata=metadata, timeout=30))
    assert error.code().name == becomes


async def test_a_method_that_does_not_exist_is_refused_with_a_reason(running: Running) -> None:
    for path in (f"/{sample.SERVICE}/Nothing", "/chenu.nowhere.v1.NoService/Get"):
        raw: Any = running.channel.unary_unary(path)
        error = await refused(raw(b""))
        assert (error.code(), reason_of(error)) == (
            grpc.StatusCode.UNIMPLEMENTED, "METHOD_NOT_FOUND",
        )  # fmt: skip


async def test_a_status_has_the_same_bytes_each_time() -> None:
    errors = [Forbidden(b="2", a="1", c="3"), Forbidden(c="3", a="1", b="2")]
    first, second = (error.status_bytes() for error in errors)
    assert first == second
    assert Status.FromString(first).code == 7
