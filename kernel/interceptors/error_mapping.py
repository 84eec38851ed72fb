"""Turns what a servicer raises into a status with ErrorInfo, and lets nothing else out."""

import asyncio
from datetime import timedelta
from typing import Any, Final

import asyncpg
import grpc
import structlog

from kernel.context import CallContext, current
from kernel.errors import (
    DETAILS_KEY,
    DeadlineExceeded,
    InvalidArgument,
    PermissionDenied,
    Relayed,
    ServiceError,
    Unauthenticated,
    Unavailable,
    relayed,
)
from kernel.interceptors.method import Handler, Method, ServicerContext

_log: Final = structlog.get_logger(component="errors")
_PUSHBACK: Final = "grpc-retry-pushback-ms"
_RELAYED_UNASKED: Final = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.CANCELLED,
}


def map_errors(method: Method, inner: Handler) -> Handler:
    """A ServiceError goes out as it is; the rest is told from what may be told."""
    denials = method.denials

    async def handle(request: Any, context: ServicerContext) -> Any:  # noqa: RET503 - abort raises
        try:
            return await inner(request, context)
        except asyncio.CancelledError:
            current().code = "CANCELLED"
            # Whether the client has gone cannot be asked; if not, it must not wait for ever.
            error: ServiceError = Unavailable("the call was cancelled")
            await context.abort(error.code, str(error), _trailers(current(), error))
        except Exception as raised:  # noqa: BLE001 - nothing of it may leave
            error = service_error(raised)
        call = current()
        call.code, call.reason = error.code.name, error.reason
        if denials is not None and _is_denial(error):
            await denials.note(call, error)
        await context.abort(error.code, str(error), _trailers(call, error))

    return handle


def service_error(raised: Exception) -> ServiceError:
    """The error that stands for whatever was raised; details of the unknown are only logged."""
    if isinstance(raised, ServiceError):
        return raised
    if isinstance(raised, grpc.aio.AioRpcError) and raised.code() in _RELAYED_UNASKED:
        return relayed(raised)
    if isinstance(raised, TimeoutError | asyncpg.QueryCanceledError):
        return DeadlineExceeded()
    if isinstance(raised, _NO_TEXT):
        return InvalidArgument("a text holds a NUL character")
    if isinstance(raised, _NOT_NOW):
        _log.warning("database not available", error=type(raised).__name__)
        return Unavailable("the database is not available", retry_after=timedelta(seconds=1))
    _log.error("unexpected error", exc_info=raised)
    return ServiceError("an internal error", request_id=current().request_id)


# PostgreSQL keeps neither in text nor in jsonb what every proto string may hold.
_NO_TEXT: Final = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)
_NOT_NOW: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InterfaceError,
    ConnectionError,
)


def _is_denial(error: ServiceError) -> bool:
    return isinstance(error, PermissionDenied | Unauthenticated) and not isinstance(error, Relayed)


def _trailers(call: CallContext, error: ServiceError) -> tuple[tuple[str, str | bytes], ...]:
    """The details, and whether our own channels should try again by themselves."""
    details = (DETAILS_KEY, error.status_bytes())
    if error.code is not grpc.StatusCode.UNAVAILABLE:
        return (details,)
    wait = error.retry_after.total_seconds() if error.retry_after else 0.05
    remaining = call.remaining()
    worthwhile = remaining is None or remaining > wait
    if isinstance(error, Relayed) or not worthwhile:
        wait = -0.001  # a negative value means: do not
    return details, (_PUSHBACK, str(int(wait * 1000)))
