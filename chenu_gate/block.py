"""The block: the one error that tells a caller to wait for a person.

It travels in a gRPC trailer. Trailers beyond 8 KB are refused, and in base64 they grow by a
third, so the whole error stays below 6 KB however many checkpoints there are and however
long their texts: previews go first, then questions, then whole checkpoints, and what was
left out is counted. GetCheckpoint has everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc.code_pb2 import FAILED_PRECONDITION
from google.rpc.error_details_pb2 import ErrorInfo, PreconditionFailure
from google.rpc.status_pb2 import Status

from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint, CheckpointBlock, Option

REASON = "CHECKPOINT_REQUIRED"
DOMAIN = "chenu"
MAX_BYTES = 5_800
MARK = "…"

_TRAILER = "grpc-status-details-bin"
# Bytes that the texts of one checkpoint may take: with all of it, and at the least.
_FULL = {"action": 120, "question": 600, "preview": 1_600}
_LEAST = {"action": 80, "question": 120, "preview": 0}
_MAX_OPTIONS = 4


class RpcError(Protocol):
    """What is needed of a gRPC error: `grpc.aio.AioRpcError` and a call that failed have it."""

    def trailing_metadata(self) -> Iterable[tuple[str, str | bytes]] | None:
        """The metadata that came with the status."""


def block_status(run_id: str, checkpoints: Sequence[BlockedCheckpoint]) -> Status:
    """The error for an action or a run that waits for these checkpoints, the first one first."""
    run_id = run_id if len(run_id) <= 100 else ""
    fitting: list[BlockedCheckpoint] = []
    for checkpoint in checkpoints:
        longer = [*fitting, _shortened(checkpoint, _LEAST)]
        if _size(run_id, longer, len(checkpoints)) > MAX_BYTES:
            break
        fitting = longer
    for position, checkpoint in enumerate(checkpoints[: len(fitting)]):
        least = fitting[position]
        room = MAX_BYTES - _size(run_id, fitting, len(checkpoints)) - 8  # lengths may take more
        fitting[position] = _filled(checkpoint, least, room)
    return _status(run_id, fitting, len(checkpoints))


def block_of(error: RpcError) -> CheckpointBlock | None:
    """The block that an RPC failed with; None where it failed for another reason."""
    for key, value in error.trailing_metadata() or ():
        if key == _TRAILER and isinstance(value, bytes):
            try:
                return block_in(Status.FromString(value))
            except DecodeError:
                return None
    return None


def block_in(status: Status) -> CheckpointBlock | None:
    """The block in a status; None where the status says something else."""
    if status.code != FAILED_PRECONDITION:
        return None
    info, block = ErrorInfo(), CheckpointBlock()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(block)
    blocked = (info.domain, info.reason) == (DOMAIN, REASON)
    return block if blocked else None


def _status(run_id: str, shown: Sequence[BlockedCheckpoint], count: int) -> Status:
    status = Status(code=FAILED_PRECONDITION, message=_message(count))
    block = CheckpointBlock(run_id=run_id, checkpoints=shown, omitted=count - len(shown))
    info = ErrorInfo(reason=REASON, domain=DOMAIN, metadata={"checkpoints": str(count)})
    failure = PreconditionFailure(
        violations=[
            PreconditionFailure.Violation(type=REASON, subject=f"checkpoint/{one.checkpoint_id}")
            for one in shown
        ]
    )
    for detail in (info, failure, block):
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _message(count: int) -> str:
    if count == 1:
        return "a person must approve this first"
    return f"persons must approve {count} actions first"


def _size(run_id: str, shown: Sequence[BlockedCheckpoint], count: int) -> int:
    return int(_status(run_id, shown, count).ByteSize())


def _filled(
    checkpoint: BlockedCheckpoint, least: BlockedCheckpoint, room: int
) -> BlockedCheckpoint:
    """As much of the checkpoint as fits into the room beside its least form."""
    limits = dict(_LEAST)
    for name, full in _FULL.items():
        before = len(getattr(least, name).encode())
        limits[name] = max(min(full, before + room), before)
        text = _clipped(getattr(checkpoint, name), limits[name])
        room -= len(text.encode()) - before
    return _shortened(checkpoint, limits)


def _shortened(checkpoint: BlockedCheckpoint, limits: dict[str, int]) -> BlockedCheckpoint:
    short = BlockedCheckpoint()
    short.CopyFrom(checkpoint)
    for name, limit in limits.items():
        setattr(short, name, _clipped(getattr(checkpoint, name), limit))
    # A link cut short leads nowhere.
    short.review_uri = checkpoint.review_uri if len(checkpoint.review_uri.encode()) <= 300 else ""
    del short.options[:]
    short.options.extend(
        Option(id=_clipped(option.id, 40), label=_clipped(option.label, 40))
        for option in checkpoint.options[:_MAX_OPTIONS]
    )
    return short


def _clipped(text: str, limit: int) -> str:
    """The text in at most `limit` bytes, with a mark where it was cut."""
    data = text.encode()
    if len(data) <= limit:
        return text
    room = limit - len(MARK.encode())
    return data[:room].decode(errors="ignore") + MARK if room > 0 else ""
