"""How a checkpoint and its decision move through their states. Pure; the clock is an argument."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from chenu.governance.v1.approval_pb2 import ApprovalRequirement, ApprovalStage, Approvers
from kernel.errors import EtagMismatch
from services.governance.errors import (
    CheckpointClaimed,
    CheckpointExpired,
    CheckpointNotPending,
    OutcomeConflict,
)
from services.governance.policy.rules import Effect
from services.governance.review.quorum import (
    Ballot,
    Electorate,
    approval,
    enough,
    rejection,
)

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


_OWNER: Final = ApprovalRequirement(
    stages=[ApprovalStage(required=1, approvers=Approvers(owner=True))]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What decides about a checkpoint's next state.

    `ballots` are the approvals of what waits now; `excluded` are the persons whom four-eyes
    keeps from approving.
    """

    checkpoint_id: str
    state: State
    etag: str
    expire_time: datetime
    requirement: ApprovalRequirement = field(default_factory=lambda: _OWNER)
    ballots: tuple[Ballot, ...] = ()
    excluded: frozenset[str] = frozenset()
    escalated: bool = False
    claimed_by: str = ""
    claim_until: datetime | None = None
    valid_until: datetime | None = None
    execute_by: datetime | None = None
    executed: bool = False

    def by_clock(self, now: datetime) -> State:
        """The state at this moment: silence ends in EXPIRED, and an unused approval lapses."""
        if self.state is State.PENDING and now >= self.expire_time:
            return State.EXPIRED
        lapsed = self.valid_until is None or now >= self.valid_until
        if self.state is State.APPROVED and lapsed and not self.executed:
            return State.EXPIRED
        return self.state

    def usable(self, now: datetime) -> bool:
        """Whether it is approved and its action not done yet."""
        return self.by_clock(now) is State.APPROVED and not self.executed

    def vote(
        self, option: Option, electorate: Electorate, *, etag: str, now: datetime
    ) -> tuple[Checkpoint, Ballot]:
        """The checkpoint after one person's answer to exactly what the etag stands for."""
        self.check_pending(now)
        if etag != self.etag:
            raise EtagMismatch("what you saw is not what waits now; look again", etag=self.etag)
        if option is Option.REJECT:
            ballot = rejection(self.requirement, self.ballots, electorate, escalated=self.escalated)
            return replace(self.released(), state=State.REJECTED), ballot
        self._check_claim(electorate.voter.person, now)
        ballot = approval(
            self.requirement, self.ballots, electorate, self.excluded, escalated=self.escalated
        )
        after = replace(self.released(), ballots=(*self.ballots, ballot))
        if enough(self.requirement, electorate.counted(after.ballots)):
            until = now + self.requirement.validity.ToTimedelta()
            if self.execute_by is not None:
                until = min(until, self.execute_by)
            after = replace(after, state=State.APPROVED, valid_until=until)
        return after, ballot

    def claim(self, by: str, person: str, until: datetime, now: datetime) -> Checkpoint:
        """The checkpoint reserved for a person, by them or by somebody who hands it on."""
        self.check_pending(now)
        self._check_claim(by, now)
        return replace(self, claimed_by=person, claim_until=until)

    def released(self) -> Checkpoint:
        """The checkpoint reserved for nobody."""
        return replace(self, claimed_by="", claim_until=None)

    def end(self, state: State, now: datetime) -> Checkpoint:
        """The checkpoint withdrawn or superseded, while nobody has decided it."""
        self.check_pending(now)
        return replace(self.released(), state=state)

    def check_pending(self, now: datetime) -> None:
        """Raise unless it still waits."""
        state = self.by_clock(now)
        if state is State.EXPIRED:
            raise CheckpointExpired(checkpoint_id=self.checkpoint_id)
        if state is not State.PENDING:
            raise CheckpointNotPending(state=state.name, checkpoint_id=self.checkpoint_id)

    def _check_claim(self, person: str, now: datetime) -> None:
        claimed = self.claim_until is not None and now < self.claim_until
        if claimed and self.claimed_by != person and self.claim_until is not None:
            raise CheckpointClaimed(person_id=self.claimed_by, until=self.claim_until.isoformat())


def answer(
    effect: Effect,
    refusal: str,
    checkpoint: Checkpoint | None,
    *,
    executed: bool,
    now: datetime,
    granted: bool = False,
) -> Answer:
    """What the asker is told of a decision now. Executed comes first: it is what happened.

    `granted` is what a person had approved in advance.
    """
    if executed:
        return Answer.EXECUTED
    if effect is Effect.DENY or refusal:
        return Answer.DENIED
    if checkpoint is None:
        needs_a_person = effect is Effect.CHECKPOINT and not granted
        return Answer.DENIED if needs_a_person else Answer.PERMITTED
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
