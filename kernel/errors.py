"""Every failure a client can see has a class, a code and a reason.

    class ThreadNotFound(NotFound):
        reason = "THREAD_NOT_FOUND"          # a value of that service's ErrorReason enum
    raise ThreadNotFound("no such thread in this meeting", thread_id=thread_id)

Keyword arguments become ErrorInfo metadata (all dynamic text belongs there),
`details` are further messages (a PreconditionFailure, the block), `subject` is
only recorded when a denial is audited. A client reads a failure with
`reason_of(error)` and `detail(error, MessageClass)`; `raise relayed(error)`
sends what a downstream service answered on, byte for byte.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Final, TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

DOMAIN: Final = "chenu"
DETAILS_KEY: Final = "grpc-status-details-bin"
_LONGEST: Final = 500  # characters of a text: clients refuse trailers of more than 8 KB
M = TypeVar("M", bound=Message)


class ServiceError(Exception):
    """A failure with its gRPC code and its reason; subclasses fix both."""

    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.INTERNAL
    reason: ClassVar[str] = "INTERNAL"
    message: ClassVar[str] = ""

    def __init__(
        self,
        message: str = "",
        *,
        details: Sequence[Message] = (),
        retry_after: timedelta | None = None,
        subject: str = "",
        **metadata: str,
    ) -> None:
        super().__init__((message or self.message)[:_LONGEST])
        self.details, self.retry_after, self.subject = details, retry_after, subject
        self.metadata = {name: value[:_LONGEST] for name, value in metadata.items()}

    def status_bytes(self) -> bytes:
        """The google.rpc.Status that travels in the trailers."""
        status = Status(code=self.code.value[0], message=str(self))
        for detail in (
            ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=self.metadata),
            *self.details,
        ):
            status.details.add().Pack(detail, deterministic=True)
        if self.retry_after is not None:
            retry = RetryInfo()
            retry.retry_delay.FromTimedelta(self.retry_after)
            status.details.add().Pack(retry, deterministic=True)
        return bytes(status.SerializeToString())


class InvalidArgument(ServiceError):
    """The request is wrong whatever the state; do not repeat it."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "INVALID_REQUEST"


class NotFound(ServiceError):
    """A part is missing inside something that the caller may see."""

    code = grpc.StatusCode.NOT_FOUND


class AlreadyExists(ServiceError):
    """What should be made is there already."""

    code = grpc.StatusCode.ALREADY_EXISTS


class FailedPrecondition(ServiceError):
    """The state does not allow it; something else must happen first."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class Aborted(ServiceError):
    """Someone else was faster; read again and repeat."""

    code = grpc.StatusCode.ABORTED


class PermissionDenied(ServiceError):
    """The caller may not; audited as a denial."""

    code = grpc.StatusCode.PERMISSION_DENIED


class Unauthenticated(ServiceError):
    """No valid token; audited under the system tenant."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = "TOKEN_INVALID"


class ResourceExhausted(ServiceError):
    """A limit or a budget is used up."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class Unavailable(ServiceError):
    """Not now; the only code that clients retry by themselves."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "UNAVAILABLE"


class Unimplemented(ServiceError):
    """There is no such method here."""

    code = grpc.StatusCode.UNIMPLEMENTED
    reason = "METHOD_NOT_FOUND"


class DeadlineExceeded(ServiceError):
    """The time that the caller gave is over; the outcome may be unknown."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"
    message = "the deadline passed before the work was done"


class Forbidden(PermissionDenied):
    """The boundary answer: the same whether the thing is foreign or missing."""

    reason = "FORBIDDEN"
    message = "not yours, or it does not exist"


class RequestIdReused(InvalidArgument):
    """The request id belongs to a request with another body."""

    reason = "REQUEST_ID_REUSED"
    message = "this request_id was used for another request"


class EtagMismatch(Aborted):
    """What is edited has changed since it was read."""

    reason = "ETAG_MISMATCH"
    message = "it has changed since it was read"


class InvalidPageToken(InvalidArgument):
    """Not a page token of this list with these arguments."""

    reason = "INVALID_PAGE_TOKEN"
    message = "the page_token does not belong to this request"


class AuditBacklog(Unavailable):
    """Changes are refused until the audit log has caught up."""

    reason = "AUDIT_BACKLOG"
    message = "the audit log is behind; changes are refused until it has caught up"

    def __init__(self) -> None:
        super().__init__(retry_after=timedelta(seconds=5))


class Relayed(ServiceError):
    """What a downstream service answered, sent on unchanged and not audited again."""

    def __init__(self, code: grpc.StatusCode, message: str, status: bytes, reason: str) -> None:
        super().__init__(message)
        self.code, self.reason, self._status = code, reason, status  # type: ignore[misc]

    def status_bytes(self) -> bytes:
        """The bytes as they came."""
        return self._status


def relayed(error: grpc.aio.AioRpcError) -> ServiceError:
    """The downstream error as one of ours, byte for byte; without our ErrorInfo, by its code."""
    status, reason = _details(error), reason_of(error)
    if status is not None and reason:
        return Relayed(error.code(), error.details() or "", status, reason)
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineExceeded()
    if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return Unavailable("a service it needs is not available", retry_after=timedelta(seconds=1))
    return ServiceError("an internal error")


def refused(refusal: Any) -> ServiceError:
    """What `chenu_gate` refused, with its code, reason and metadata, as the client gets it."""
    kind = next(k for k in ServiceError.__subclasses__() if k.code.name == refusal.code)
    made = type(kind.__name__, (kind,), {"reason": refusal.reason})
    error: ServiceError = made(str(refusal), **refusal.metadata)
    return error


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """The ErrorInfo reason of a failed call, empty where it carries none of ours."""
    info = detail(error, ErrorInfo)
    return info.reason if info is not None and info.domain == DOMAIN else ""


def detail(error: grpc.aio.AioRpcError, message_class: type[M]) -> M | None:
    """The first error detail of this class that a failed call carries."""
    for packed in Status.FromString(_details(error) or b"").details:
        if packed.type_url.endswith(f"/{message_class.DESCRIPTOR.full_name}"):
            message = message_class()
            packed.Unpack(message)
            return message
    return None


def _details(error: grpc.aio.AioRpcError) -> bytes | None:
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY:
            return value if isinstance(value, bytes) else value.encode()
    return None
