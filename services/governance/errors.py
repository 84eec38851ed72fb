"""Every way in which governance says no; the reasons stand in `error_reason.proto`."""

from collections.abc import Sequence
from typing import Final

from google.rpc.error_details_pb2 import BadRequest

from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint
from chenu_gate.block import block_status
from kernel.errors import (
    Aborted,
    FailedPrecondition,
    InvalidArgument,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
)
from services.governance.policy.rule import Problem

_MOST_PROBLEMS: Final = 20


class CheckpointRequired(FailedPrecondition):
    """A person must decide first; carries the CheckpointBlock."""

    reason = "CHECKPOINT_REQUIRED"

    def __init__(self, run_id: str, checkpoints: Sequence[BlockedCheckpoint]) -> None:
        self._status = block_status(run_id, checkpoints)
        super().__init__(self._status.message)

    def status_bytes(self) -> bytes:
        """The block as `chenu_gate` builds it, for every service alike."""
        status: bytes = self._status.SerializeToString(deterministic=True)
        return status


class GovernanceDenied(PermissionDenied):
    """A rule forbids it, whoever asks."""

    reason = "GOVERNANCE_DENIED"
    message = "a rule forbids this action; EvaluateAction (chenu rules explain) says why"


class CheckpointRejected(PermissionDenied):
    """A person said no; a new attempt needs a new request id."""

    reason = "CHECKPOINT_REJECTED"
    message = "a person rejected this action; do not ask for the like of it again"


class CheckpointExpired(FailedPrecondition):
    """Nobody decided in time, or the approval lapsed before it was used."""

    reason = "CHECKPOINT_EXPIRED"
    message = "the checkpoint has expired, and expired means no; ask with a new request_id"


class CheckpointCancelled(FailedPrecondition):
    """It was withdrawn before anybody decided."""

    reason = "CHECKPOINT_CANCELLED"
    message = "the checkpoint was withdrawn; ask with a new request_id"


class CheckpointSuperseded(FailedPrecondition):
    """A later plan or a newer message took its place."""

    reason = "CHECKPOINT_SUPERSEDED"
    message = "a later plan took the place of this action; go on with what that one asks"


class CheckpointNotPending(FailedPrecondition):
    """It is decided, and what is decided is not decided again."""

    reason = "CHECKPOINT_NOT_PENDING"
    message = "the checkpoint is not pending any more; look how it ended (GetCheckpoint)"


class CheckpointClaimed(FailedPrecondition):
    """Somebody is looking at it; it can be rejected all the same."""

    reason = "CHECKPOINT_CLAIMED"
    message = "somebody has claimed this checkpoint; wait, or ask them to release or assign it"


class DeputyInvalid(InvalidArgument):
    """A deputy who is none, or for a time that is over or too long."""

    reason = "DEPUTY_INVALID"


class EditRefused(InvalidArgument):
    """The edited action is none that its tool would do; nothing has changed."""

    reason = "EDIT_REFUSED"
    message = "the edited action does not fit its tool; another tool is another action"


class TooMuchSaid(FailedPrecondition):
    """More than one answer carries would leave a checkpoint that nobody can look at."""

    reason = "TOO_MUCH_SAID"
    message = "as much was said and edited as one answer carries; decide it, or ask anew"


class VoteTokenUsed(Aborted):
    """A vote token is good for one vote, however often that vote is sent."""

    reason = "VOTE_TOKEN_USED"
    message = "this vote token was used for another vote; get another one"


class NotEntitled(PermissionDenied):
    """The voter may not decide this checkpoint."""

    reason = "NOT_ENTITLED"
    message = "this vote may not decide this checkpoint; its stages say who may"


class NoEligibleApprover(FailedPrecondition):
    """Nobody could approve it, so nobody is asked."""

    reason = "NO_ELIGIBLE_APPROVER"
    message = "nobody could approve this action; give somebody a role that the rule names"


class Frozen(FailedPrecondition):
    """Somebody has pulled the brake."""

    reason = "FROZEN"
    message = "this is frozen; ask again with a new request_id once the freeze is lifted"


class OutOfScope(PermissionDenied):
    """The agent was not hired for that."""

    reason = "OUT_OF_SCOPE"
    message = "the agent may not use this tool; its owner may allow it (UpdateAgent)"


class AskedTooOften(ResourceExhausted):
    """People's attention is used up, by this agent."""

    reason = "ASKED_TOO_OFTEN"
    message = "this agent has asked people too often; ask again later"


class GrantInvalid(InvalidArgument):
    """A grant is bounded, ends, and covers nothing that cannot be brought back."""

    reason = "GRANT_INVALID"
    message = "these terms cannot be granted in advance; see cause, or have each approved"


class BatchInvalid(InvalidArgument):
    """A batch names each checkpoint once."""

    reason = "BATCH_INVALID"
    message = "a checkpoint is named twice; a batch has one answer for each"


class RiskTooHigh(FailedPrecondition):
    """The top class is never approved from a list."""

    reason = "RISK_TOO_HIGH"
    message = "what can do that much harm is approved by itself, not in a batch"


class LoginRequired(FailedPrecondition):
    """A mail or a chat proves less than a log-in."""

    reason = "LOGIN_REQUIRED"
    message = "this is not decided from a mail or a chat; log in to decide"


class RejectedBefore(PermissionDenied):
    """A person said no to its like."""

    reason = "REJECTED_BEFORE"
    message = "a person rejected the like of this action; a person may lift that (LiftTombstone)"


class TooManyFreezes(ResourceExhausted):
    """Executors look at every freeze in force, of whichever tenant."""

    reason = "TOO_MANY_FREEZES"
    message = "so many freezes are in force already; freeze the whole tenant, or a kind"


class FreezeLifted(FailedPrecondition):
    """What is lifted need not be lifted."""

    reason = "FREEZE_LIFTED"
    message = "this freeze was lifted before"


class PrincipalMismatch(PermissionDenied):
    """An action is asked for by its own principal or not at all."""

    reason = "PRINCIPAL_MISMATCH"
    message = "the principal of the action is not the caller; ask as that principal"


class OperationReserved(PermissionDenied):
    """Only governance asks for its own operations, by the RPC that each of them has."""

    reason = "OPERATION_RESERVED"
    message = "this is an operation of governance's own; ask by its RPC (PromoteRules, …)"


class LimitsContended(Unavailable):
    """Others act under the same limits, faster than this could be judged."""

    reason = "LIMITS_CONTENDED"
    message = "too many act under the same limits at this moment; ask again"


class NotARuleKeeper(PermissionDenied):
    """Rules are kept by the people who own the tenant."""

    reason = "NOT_A_RULE_KEEPER"
    message = 'rules are kept by people with the role "owner"; ask one of them'


class LabelReserved(InvalidArgument):
    """What holds is not moved like a name."""

    reason = "LABEL_RESERVED"
    message = '"live" moves only by a promotion: ask with PromoteRules (chenu rules promote)'


class AlreadyLive(FailedPrecondition):
    """There is nothing to promote."""

    reason = "ALREADY_LIVE"
    message = "these rules hold already"


class RulesInvalid(InvalidArgument):
    """All that is wrong with a document, each with its place."""

    reason = "RULE_INVALID"

    def __init__(self, problems: Sequence[Problem]) -> None:
        fields = BadRequest(
            field_violations=[
                BadRequest.FieldViolation(
                    field=f"rules[{one.rule}].{one.field}", description=one.text
                )
                for one in problems[:_MOST_PROBLEMS]
            ]
        )
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(
            f"{first.rule}: {first.text}{more}",
            details=[fields],
            rule=first.rule,
            line=str(first.line),
            column=str(first.column),
        )


class ActionInvalid(InvalidArgument):
    """The bytes are not a canonical action, or no person could review it."""

    reason = "ACTION_INVALID"


class DecisionExecuted(FailedPrecondition):
    """A decision is executed at most once."""

    reason = "DECISION_EXECUTED"
    message = "this decision was executed before; ask with a new request_id to do it again"


class OutcomeConflict(FailedPrecondition):
    """Another end, or another action, is on record for the decision."""

    reason = "OUTCOME_CONFLICT"
    message = "the report contradicts what is on record for the decision; nothing was recorded"
