"""What can go wrong with a question to the log: one class for each reason."""

from datetime import timedelta

from kernel.errors import (
    Aborted,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unavailable,
)


class LeafNotCovered(NotFound):
    """The tree head asked about does not cover that index or size."""

    reason = "LEAF_NOT_COVERED"


class LogBeingPruned(Unavailable):
    """Records are gone, and no published head stands yet for the record that says so."""

    reason = "LOG_BEING_PRUNED"

    def __init__(self) -> None:
        words = "the log is being pruned: try again in a few seconds"
        super().__init__(words, retry_after=timedelta(seconds=2))


class ExportInterrupted(Aborted):
    """Records that an export had promised were pruned before it came to them."""

    reason = "EXPORT_INTERRUPTED"


class InvalidFilter(InvalidArgument):
    """The filter cannot be understood; metadata position says where."""

    reason = "INVALID_FILTER"


class RoleRequired(PermissionDenied):
    """Only people with one of these roles may do it; metadata roles."""

    reason = "ROLE_REQUIRED"
    message = "it takes another role: ask an owner of the tenant"


class SystemAuditorRequired(PermissionDenied):
    """Only an auditor of the system may do it, whom the settings of this service name."""

    reason = "SYSTEM_AUDITOR_REQUIRED"
    message = "only an auditor of the system may: whom CHENU_AUDIT_SYSTEM_AUDITORS names"


class AlertNotFound(NotFound):
    """There is no such alert."""

    reason = "ALERT_NOT_FOUND"
    message = "there is no such alert"


class AlertMendsItself(FailedPrecondition):
    """It closes once what it tells of is mended, and not before; metadata kind."""

    reason = "ALERT_MENDS_ITSELF"
    message = "mend what it tells of: then it closes by itself"


class LegalHold(FailedPrecondition):
    """A hold forbids it until it is released."""

    reason = "LEGAL_HOLD"
    message = "a legal hold forbids it; release the hold first"
