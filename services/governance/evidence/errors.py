"""Why there is no evidence of an action, or none yet."""

from kernel.errors import FailedPrecondition, InvalidArgument, Unavailable


class EvidenceTooLarge(InvalidArgument):
    """More than one file holds."""

    reason = "EVIDENCE_TOO_LARGE"
    message = "the run has more decisions than one file holds; export each by its decision_id"


class EvidenceIncomplete(FailedPrecondition):
    """The log keeps records of it from whoever asks."""

    reason = "EVIDENCE_INCOMPLETE"
    message = 'the log shows it to its own identity, or with the role "auditor": ask as one of them'


class EvidenceNotLogged(Unavailable):
    """What was committed is on its way into the log."""

    reason = "EVIDENCE_NOT_LOGGED"
    message = "the log does not hold all of it yet; ask again"
