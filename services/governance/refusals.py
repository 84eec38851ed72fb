"""Verdicts as errors, for whoever asks for a single action."""

from __future__ import annotations

from typing import Final

from chenu.governance.v1.authorization_service_pb2 import Verdict, VerdictState
from chenu_gate.action import Action
from kernel.errors import ServiceError
from services.governance.errors import (
    CheckpointCancelled,
    CheckpointExpired,
    CheckpointRejected,
    CheckpointRequired,
    CheckpointSuperseded,
    DecisionExecuted,
    Frozen,
    GovernanceDenied,
    NoEligibleApprover,
    OutOfScope,
    RejectedBefore,
)
from services.governance.holds.standing import FROZEN, OUT_OF_SCOPE, REJECTED_BEFORE
from services.governance.review.lifecycle import NO_ELIGIBLE_APPROVER

_ENDED: Final[dict[int, type[ServiceError]]] = {
    VerdictState.VERDICT_STATE_EXPIRED: CheckpointExpired,
    VerdictState.VERDICT_STATE_CANCELLED: CheckpointCancelled,
    VerdictState.VERDICT_STATE_SUPERSEDED: CheckpointSuperseded,
}
# The person's words as far as they fit into an error; GetAuthorization has all of them.
_COMMENT: Final = 500
# What stands against an action besides the rules, by the first word of the reason.
_REFUSED: Final[dict[str, type[ServiceError]]] = {
    NO_ELIGIBLE_APPROVER: NoEligibleApprover,
    FROZEN: Frozen,
    REJECTED_BEFORE: RejectedBefore,
    OUT_OF_SCOPE: OutOfScope,
}


def raise_unless_permitted(verdict: Verdict, action: bytes) -> None:
    """Raise what the verdict says, if it says anything but PERMITTED."""
    decision = verdict.decision
    match verdict.state:
        case VerdictState.VERDICT_STATE_PERMITTED:
            return
        case VerdictState.VERDICT_STATE_BLOCKED:
            raise CheckpointRequired(Action.parse(action).run, [verdict.checkpoint])
        case VerdictState.VERDICT_STATE_EXECUTED:
            raise DecisionExecuted(decision_id=decision.decision_id)
        case VerdictState.VERDICT_STATE_DENIED:
            word, _, detail = verdict.reason.partition(": ")
            refused = _REFUSED.get(word, GovernanceDenied)
            message = f"{refused.message}: {detail}" if word in _REFUSED and detail else ""
            raise refused(message, rule=decision.rule, revision=decision.rule_revision)
        case VerdictState.VERDICT_STATE_REJECTED:
            comment = verdict.reason[:_COMMENT]
            raise CheckpointRejected(checkpoint_id=decision.checkpoint_id, comment=comment)
        case ended:
            raise _ENDED[ended](checkpoint_id=decision.checkpoint_id)
