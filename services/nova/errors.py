"""What can go wrong with a run: one class for each reason that a caller may meet.

The last four are governance's reasons, which reach whoever waits for a run.
"""

import grpc

from chenu.governance.v1.checkpoint_pb2 import CheckpointBlock
from chenu_gate.block import REASON, block_status
from kernel.errors import (
    FailedPrecondition,
    PermissionDenied,
    Relayed,
    ResourceExhausted,
    ServiceError,
)


class RunFailed(FailedPrecondition):
    """The run ended without doing what was asked."""

    reason = "RUN_FAILED"


class AnswerIncomplete(FailedPrecondition):
    """The model's answer did not come to its end: what it planned may be half of a plan."""

    reason = "ANSWER_INCOMPLETE"


class RunCancelled(FailedPrecondition):
    """Somebody ended the run."""

    reason = "RUN_CANCELLED"


class RunExpired(FailedPrecondition):
    """The run's own time is over."""

    reason = "RUN_EXPIRED"


class TooManyRounds(FailedPrecondition):
    """The model wanted more rounds than a run may take."""

    reason = "TOO_MANY_ROUNDS"


class RunTooLarge(FailedPrecondition):
    """The run held too much for another round."""

    reason = "RUN_TOO_LARGE"


class PermitWithdrawn(FailedPrecondition):
    """What was permitted is not any more, and governance names no reason."""

    reason = "PERMIT_WITHDRAWN"


class RunEnded(FailedPrecondition):
    """There is nothing left to cancel."""

    reason = "RUN_ENDED"


class GovernanceDenied(PermissionDenied):
    """A rule forbids an action of the plan."""

    reason = "GOVERNANCE_DENIED"


class CheckpointRejected(PermissionDenied):
    """A person said no."""

    reason = "CHECKPOINT_REJECTED"


class AskedTooOften(ResourceExhausted):
    """The agent put so many questions before people that it has to wait."""

    reason = "ASKED_TOO_OFTEN"


class CheckpointExpired(FailedPrecondition):
    """Nobody decided in time."""

    reason = "CHECKPOINT_EXPIRED"


class LeaseLost(Exception):
    """Another worker owns the run now; this one must not write another word of it."""


def blocked(block: CheckpointBlock) -> ServiceError:
    """The block, as whoever waits for the run gets it: built in one place for everybody."""
    status = block_status(block.run_id, block.checkpoints)
    data = status.SerializeToString(deterministic=True)
    return Relayed(grpc.StatusCode.FAILED_PRECONDITION, status.message, data, REASON)
