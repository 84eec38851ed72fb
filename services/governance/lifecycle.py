"""How a checkpoint and its decision move through their states. Pure; the clock is an argument."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from kernel.errors import EtagMismatch
from services.governance.errors import CheckpointExpired, CheckpointNotPending, OutcomeConflict
from services.governance.rules import Effect

NO_ELIGIBLE_APPROVER: Final = "NO_ELIGIBLE_APPROVER"


class State(StrEnum):
    """Where a checkpoint stands; only PENDING and APPROVED can still change."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


class Option(StrEnum):
    """What a person may answer."""

    APPROVE = "approve"
    REJECT = "reject"


class Execution(StrEnum):
    """What became of the execution of a decision."""

    NOT_STARTED = "not_started"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Answer(StrEnum):
    """What somebody who asks for an action is told."""

    PERMITTED = "permitted"
    BLOCKED = "blocked"
    DENIED = "denied"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    EXECUTED = "executed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What decides about a checkpoint's next state.

    `approvers` are persons: the same person counts once under all their identities.
    """

    checkpoint_id: str
    state: State
    etag: str
    expire_time: datetime
    required_approvals: int = 1
    approvers: frozenset[str] = frozenset()
    valid_until: datetime | None = None
    executed: bool = False

    def by_clock(self, now: datetime) -> State:
        """The state at this moment: silence ends in EXPIRED, and an unused approval lapses."""
        if self.state is State.PENDING and now >= self.expire_time:
            return State.EXPIRED
        lapsed = self.valid_until is None or now >= self.valid_until
        if self.state is State.APPROVED and lapsed and not self.executed:
            return State.EXPIRED
        return self.state

    def vote(
        self, option: Option, *, person: str, etag: str, now: datetime, validity: timedelta
    ) -> Checkpoint:
        """The checkpoint after one person's answer to exactly what the etag stands for."""
        self._check_pending(now)
        if etag != self.etag:
            raise EtagMismatch("what you saw is not what waits now; look again", etag=self.etag)
        if option is Option.REJECT:
            return replace(self, state=State.REJECTED)
        approvers = self.approvers | {person}
        if len(approvers) < self.required_approvals:
            return replace(self, approvers=approvers)
        return replace(self, state=State.APPROVED, approvers=approvers, valid_until=now + validity)

    def end(self, state: State, now: datetime) -> Checkpoint:
        """The checkpoint withdrawn or superseded, while nobody has decided it."""
        self._check_pending(now)
        return replace(self, state=state)

    def _check_pending(self, now: datetime) -> None:
        state = self.by_clock(now)
        if state is State.EXPIRED:
            raise CheckpointExpired(checkpoint_id=self.checkpoint_id)
        if state is not State.PENDING:
            raise CheckpointNotPending(state=state.name, checkpoint_id=self.checkpoint_id)


def answer(
    effect: Effect, refusal: str, checkpoint: Checkpoint | None, *, executed: bool, now: datetime
) -> Answer:
    """What the asker is told of a decision now. Executed comes first: it is what happened."""
    if executed:
        return Answer.EXECUTED
    if effect is Effect.DENY or refusal:
        return Answer.DENIED
    if checkpoint is None:
        return Answer.PERMITTED if effect is not Effect.CHECKPOINT else Answer.DENIED
    match checkpoint.by_clock(now):
        case State.PENDING:
            return Answer.BLOCKED
        case State.APPROVED:
            return Answer.PERMITTED
        case ended:
            return Answer(ended.value)


def after_report(known: Execution, reported: Execution) -> Execution:
    """The state of an execution once a report is taken in; a contradiction is refused.

    A report that comes late or twice is harmless, and what was UNKNOWN may become known.
    """
    late = reported is Execution.RUNNING and known is not Execution.NOT_STARTED
    if reported is known or late:
        return known
    if known in (Execution.NOT_STARTED, Execution.RUNNING, Execution.UNKNOWN):
        return reported
    raise OutcomeConflict(known=known.name, reported=reported.name)
