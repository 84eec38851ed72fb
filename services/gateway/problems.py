"""Errors as HTTP tells them: RFC 9457 problem details, with the reason that gRPC carries."""

from typing import Any, Final

import grpc
import structlog
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from starlette.responses import JSONResponse

from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint, CheckpointBlock
from kernel.context import current
from kernel.errors import ServiceError, reason_of, relayed

MEDIA_TYPE: Final = "application/problem+json"
_BY_REASON: Final = {
    "CHECKPOINT_REQUIRED": 423,
    "ETAG_MISMATCH": 412,
    "REQUEST_ID_REUSED": 422,
}
_BY_CODE: Final = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
_RETRY_AFTER_CHECKPOINT: Final = "5"
_log: Final = structlog.get_logger(component="problems")


def from_rpc(error: grpc.aio.AioRpcError) -> JSONResponse:
    """The problem that a service answered with; what gRPC says itself is for the log."""
    if not reason_of(error):
        _log.warning("no service's answer", code=error.code().name, told=error.details())
    return from_error(relayed(error))


def from_error(error: ServiceError) -> JSONResponse:
    """The problem that the gateway itself found."""
    return _problem(error.code, str(error), Status.FromString(error.status_bytes()))


def plain(
    status: int, title: str, detail: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """A problem that no service has a word for."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def _problem(code: grpc.StatusCode, detail: str, status: Status) -> JSONResponse:
    info = _detail(status, ErrorInfo) or ErrorInfo(reason=code.name)
    number = _BY_REASON.get(info.reason) or _BY_CODE.get(code, 500)
    body: dict[str, Any] = {
        "type": f"urn:chenu:problem:{info.reason.lower().replace('_', '-')}",
        "title": info.reason.replace("_", " ").capitalize(),
        "status": number,
        "detail": detail,
        "instance": f"urn:uuid:{current().request_id}",
        "code": code.name,
        "reason": info.reason,
        "metadata": dict(info.metadata),
    }
    headers: dict[str, str] = {}
    if violations := _detail(status, BadRequest):
        body["violations"] = [
            {"field": v.field, "description": v.description} for v in violations.field_violations
        ]
    if retry := _detail(status, RetryInfo):
        headers["Retry-After"] = str(max(1, round(retry.retry_delay.ToTimedelta().total_seconds())))
    block = _detail(status, CheckpointBlock)
    if block and block.checkpoints:
        _add_block(body, headers, block)
    if number == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, number, headers, MEDIA_TYPE)


def _add_block(body: dict[str, Any], headers: dict[str, str], block: CheckpointBlock) -> None:
    """What a person must decide before it can go on: the first in the body's own members."""
    checkpoints = [_checkpoint(c) for c in block.checkpoints]
    body |= checkpoints[0]
    body["checkpoints"] = checkpoints
    body["omitted"] = block.omitted
    body["run_id"] = block.run_id
    headers["Location"] = f"/api/v2/checkpoints/{checkpoints[0]['checkpoint_id']}"
    headers["Retry-After"] = _RETRY_AFTER_CHECKPOINT


def _checkpoint(blocked: BlockedCheckpoint) -> dict[str, Any]:
    document: dict[str, Any] = MessageToDict(blocked, preserving_proto_field_name=True)
    document["expires_at"] = document.pop("expire_time", "")
    return document


def _detail(status: Status, message_class: Any) -> Any:
    for packed in status.details:
        if packed.Is(message_class.DESCRIPTOR):
            message: Message = message_class()
            packed.Unpack(message)
            return message
    return None
