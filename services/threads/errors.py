"""What can go wrong with a thread: one class for each reason of `error_reason.proto`."""

from chenu_gate import permit as gate
from kernel.errors import (
    Aborted,
    FailedPrecondition,
    InvalidArgument,
    PermissionDenied,
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
