"""What can go wrong with a thread: one class for each reason of `error_reason.proto`."""

from typing import Final

from chenu_gate import permit as gate
from chenu_gate.gatekeeper import ActionRefused, PermitRefused, ToolRefused
from kernel.errors import (
    Aborted,
    FailedPrecondition,
    InvalidArgument,
    PermissionDenied,
    ServiceError,
    Unimplemented,
)


class FoundingIntentImmutable(InvalidArgument):
    """Why a thread exists is settled when it is founded."""

    reason = "FOUNDING_INTENT_IMMUTABLE"
    message = "a founding intent never changes; found a new thread instead"


class ThreadArchived(FailedPrecondition):
    """Nothing is added to an archived thread."""

    reason = "THREAD_ARCHIVED"
    message = "the thread is archived; reopen it first"


class VersionConflict(Aborted):
    """Somebody added an event in between."""

    reason = "VERSION_CONFLICT"
    message = "the thread has moved on; read its latest events and try again"


class EventTypeReserved(InvalidArgument):
    """Events of this type are recorded by the services themselves."""

    reason = "EVENT_TYPE_RESERVED"
    message = "events of this type are recorded by the services themselves"


class TargetChanged(FailedPrecondition):
    """The decision is not used up; a new plan needs a new one."""

    reason = "TARGET_CHANGED"
    message = "the thread is not what it was when the action was planned; plan again"


class PermitExpired(PermissionDenied):
    """Its seconds ran out between the check and the effect; the decision is not used up."""

    reason = gate.PermitExpired.reason
    message = gate.PermitExpired.message


class DecisionUsed(PermissionDenied):
    """The decision was executed for somebody else, or for another action."""

    reason = "PERMIT_ACTION"
    message = "the decision was executed for another action"


_CODES: Final[dict[str, type[ServiceError]]] = {
    "ACTION_INVALID": InvalidArgument,
    "ARGUMENTS_INVALID": InvalidArgument,
    "TOOL_UNKNOWN": Unimplemented,
    "TOOL_CHANGED": FailedPrecondition,
}


def refused(refusal: PermitRefused | ActionRefused | ToolRefused) -> ServiceError:
    """What the gatekeeper did not admit, as the client gets it; all about a permit is a denial."""
    metadata = refusal.metadata if isinstance(refusal, ToolRefused) else {}
    if isinstance(refusal, ActionRefused):
        metadata = {"cause": refusal.cause, "path": refusal.path}
    error_class = _CODES.get(refusal.reason, PermissionDenied)
    error = error_class(str(refusal), details=(), retry_after=None, subject="", **metadata)
    error.reason = refusal.reason  # type: ignore[misc]  # the gate has a class for each reason
    return error
