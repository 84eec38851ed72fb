from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chenu.governance.v1.approval_pb2 import ApprovalRequirement, ApprovalStage, Approvers
from kernel.errors import EtagMismatch
from services.governance.errors import (
    CheckpointExpired,
    CheckpointNotPending,
    NotEntitled,
    OutcomeConflict,
)
from services.governance.policy.rules import Effect
from services.governance.review.lifecycle import (
    NO_ELIGIBLE_APPROVER,
    Answer,
    Checkpoint,
    Execution,
    Option,
    State,
    after_report,
    answer,
)
from services.governance.review.quorum import Electorate, Entitled

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
VALIDITY = timedelta(hours=24)
TICK = timedelta(microseconds=1)
ETAG = "sha256:" + "1" * 64


def a_checkpoint(**changes: Any) -> Checkpoint:
    fields: dict[str, Any] = {
        "checkpoint_id": "c-1",
        "state": State.PENDING,
        "etag": ETAG,
        "expire_time": NOW + timedelta(hours=1),
        "requirement": takes(1),
    }
    return Checkpoint(**fields | changes)


def takes(required: int, validity: timedelta = VALIDITY) -> ApprovalRequirement:
    """So many approvals by people of one role."""
    stage = ApprovalStage(required=required, approvers=Approvers(roles=["any"]))
    requirement = ApprovalRequirement(stages=[stage])
    requirement.validity.FromTimedelta(validity)
    return requirement


def voter(person: str) -> Electorate:
    return Electorate(voter=Entitled(person=person, roles=frozenset({"any"})))


def voted(
    checkpoint: Checkpoint, option: Option = Option.APPROVE, person: str = "p1", **changes: Any
) -> Checkpoint:
    given_: dict[str, Any] = {"etag": ETAG, "now": NOW}
    return checkpoint.vote(option, voter(person), **given_ | changes)[0]


def told(checkpoint: Checkpoint | None, now: datetime = NOW, **changes: Any) -> Answer:
    given_: dict[str, Any] = {"effect": Effect.CHECKPOINT, "refusal": "", "executed": False}
    return answer(checkpoint=checkpoint, now=now, **given_ | changes)


def test_an_approval_counts_for_its_validity_and_not_a_moment_longer() -> None:
    approved = voted(a_checkpoint())

    assert approved.valid_until == NOW + VALIDITY
    assert told(approved, NOW + VALIDITY - TICK) is Answer.PERMITTED
    assert told(approved, NOW + VALIDITY) is Answer.EXPIRED


def test_silence_means_no_from_the_moment_it_expires() -> None:
    checkpoint = a_checkpoint()

    assert told(checkpoint, checkpoint.expire_time - TICK) is Answer.BLOCKED
    assert told(checkpoint, checkpoint.expire_time) is Answer.EXPIRED
    voted(checkpoint, now=checkpoint.expire_time - TICK)
    with pytest.raises(CheckpointExpired):
        voted(checkpoint, now=checkpoint.expire_time)


def test_a_vote_for_another_view_is_refused() -> None:
    with pytest.raises(EtagMismatch):
        voted(a_checkpoint(), etag="sha256:" + "2" * 64)


@pytest.mark.parametrize("state", sorted(set(State) - {State.PENDING, State.EXPIRED}))
@pytest.mark.parametrize("option", Option)
def test_what_is_decided_is_not_decided_again(state: State, option: Option) -> None:
    ended = a_checkpoint(state=state, valid_until=NOW + VALIDITY)

    with pytest.raises(CheckpointNotPending):
        voted(ended, option)
    with pytest.raises(CheckpointNotPending):
        ended.end(State.CANCELLED, NOW)


def test_a_lapsed_approval_is_answered_as_expired_to_a_voter_too() -> None:
    lapsed = a_checkpoint(state=State.APPROVED, valid_until=NOW)

    with pytest.raises(CheckpointExpired):
        voted(lapsed)


def test_the_same_person_counts_once_and_one_rejection_ends_it() -> None:
    two = a_checkpoint(requirement=takes(2))

    once = voted(two)
    assert once.state is State.PENDING
    with pytest.raises(NotEntitled) as refused:
        voted(once)
    assert refused.value.metadata["cause"] == "ALREADY_VOTED"
    assert voted(once, person="p2").state is State.APPROVED
    assert voted(once, Option.REJECT, person="p2").state is State.REJECTED


def test_a_denial_or_a_refusal_is_told_whatever_else_is_known() -> None:
    assert told(None, effect=Effect.DENY) is Answer.DENIED
    assert told(None, refusal=NO_ELIGIBLE_APPROVER) is Answer.DENIED
    assert told(None, effect=Effect.ALLOW) is Answer.PERMITTED
    assert told(None, effect=Effect.WARN) is Answer.PERMITTED
    # Never seen, and yet: a gated decision that lost its checkpoint permits nothing.
    assert told(None) is Answer.DENIED


@pytest.mark.parametrize("effect", [Effect.ALLOW, Effect.WARN, Effect.CHECKPOINT])
def test_what_was_executed_is_never_permitted_again(effect: Effect) -> None:
    approved = voted(a_checkpoint()) if effect is Effect.CHECKPOINT else None

    assert told(approved, effect=effect, executed=True) is Answer.EXECUTED


ENDS = (Execution.SUCCEEDED, Execution.FAILED)


@given(reports=st.lists(st.sampled_from([e for e in Execution if e != Execution.NOT_STARTED])))
def test_reports_only_ever_add_to_what_is_known(reports: list[Execution]) -> None:
    known = Execution.NOT_STARTED
    for report in reports:
        before = known
        try:
            known = after_report(known, report)
        except OutcomeConflict:
            assert before in ENDS
            assert report not in (before, Execution.RUNNING)
            continue
        if before in ENDS:
            assert known is before
        if before is Execution.UNKNOWN:
            assert known in (Execution.UNKNOWN, *ENDS)
        assert known is not Execution.NOT_STARTED
        # Repeating the report changes nothing.
        assert after_report(known, report) is known


class Lifecycle(RuleBasedStateMachine):
    """Any sequence of votes, endings, executions and waiting, against what must always hold."""

    @initialize(
        required=st.integers(1, 3), pending=st.integers(5, 1440), validity=st.integers(5, 2880)
    )
    def begin(self, required: int, pending: int, validity: int) -> None:
        self.now = NOW
        self.validity = timedelta(minutes=validity)
        self.checkpoint = a_checkpoint(
            expire_time=NOW + timedelta(minutes=pending),
            requirement=takes(required, self.validity),
        )
        self.required = required
        self.approvals: set[str] = set()
        self.rejected = self.withdrawn = self.executed = False
        self.approved_at: datetime | None = None
        self.final: Answer | None = None

    @rule(minutes=st.integers(1, 2000))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(person=st.sampled_from("abcd"), option=st.sampled_from(Option), stale=st.booleans())
    def vote(self, person: str, option: Option, stale: bool) -> None:
        pending = self.checkpoint.by_clock(self.now) is State.PENDING
        etag = "sha256:" + "0" * 64 if stale else ETAG
        try:
            self.checkpoint = voted(self.checkpoint, option, person, etag=etag, now=self.now)
        except NotEntitled:
            assert pending
            assert person in self.approvals
        except EtagMismatch:
            assert stale
            assert pending
        except (CheckpointNotPending, CheckpointExpired):
            assert not pending
        else:
            assert pending
            assert not stale
            if option is Option.REJECT:
                self.rejected = True
            else:
                self.approvals.add(person)
                if len(self.approvals) >= self.required:
                    self.approved_at = self.now

    @rule(state=st.sampled_from([State.CANCELLED, State.SUPERSEDED]))
    def end(self, state: State) -> None:
        pending = self.checkpoint.by_clock(self.now) is State.PENDING
        try:
            self.checkpoint = self.checkpoint.end(state, self.now)
        except (CheckpointNotPending, CheckpointExpired):
            assert not pending
        else:
            assert pending
            self.withdrawn = True

    @rule()
    def sweep(self) -> None:
        from dataclasses import replace

        before = told(self.checkpoint, self.now, executed=self.executed)
        self.checkpoint = replace(self.checkpoint, state=self.checkpoint.by_clock(self.now))
        assert told(self.checkpoint, self.now, executed=self.executed) is before

    @precondition(lambda self: told(self.checkpoint, self.now) is Answer.PERMITTED)
    @rule()
    def execute(self) -> None:
        from dataclasses import replace

        self.executed = True
        self.checkpoint = replace(self.checkpoint, executed=True)

    @invariant()
    def only_enough_people_and_in_time_permit(self) -> None:
        permitted = told(self.checkpoint, self.now, executed=self.executed) is Answer.PERMITTED
        assert permitted == (
            self.approved_at is not None
            and self.now < self.approved_at + self.validity
            and not self.executed
        )
        if permitted:
            assert len(self.approvals) >= self.required
            assert not self.rejected
            assert not self.withdrawn

    @invariant()
    def an_end_is_an_end(self) -> None:
        now_told = told(self.checkpoint, self.now, executed=self.executed)
        if self.final is not None:
            assert now_told is self.final
        elif now_told not in (Answer.BLOCKED, Answer.PERMITTED):
            self.final = now_told


TestLifecycle = Lifecycle.TestCase
