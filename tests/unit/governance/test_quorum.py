"""Counting: orders, revocations, duplicates, deputies, stages. Against a count by brute force."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chenu.governance.v1.approval_pb2 import ApprovalRequirement, ApprovalStage, Approvers
from services.governance.errors import CheckpointClaimed, CheckpointNotPending, NotEntitled
from services.governance.review.lifecycle import Checkpoint, Option, State
from services.governance.review.quorum import (
    Ballot,
    Electorate,
    Entitled,
    can_be_met,
    enough,
    still_counts,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ETAG = "sha256:" + "1" * 64
PEOPLE = "abcdef"
ROLES = ("finance", "board")


def a_requirement(*stages: tuple[int, Approvers], **changes: Any) -> ApprovalRequirement:
    return ApprovalRequirement(
        validity={"seconds": 3600},
        stages=[ApprovalStage(required=number, approvers=who) for number, who in stages],
        **changes,
    )


def role(*names: str) -> Approvers:
    return Approvers(roles=names)


TWO_STAGES = a_requirement((2, role("finance")), (1, role("board")))


def a_checkpoint(requirement: ApprovalRequirement, **changes: Any) -> Checkpoint:
    fields: dict[str, Any] = {
        "checkpoint_id": "c", "state": State.PENDING, "etag": ETAG,
        "expire_time": NOW + timedelta(hours=1), "requirement": requirement,
    }  # fmt: skip
    return Checkpoint(**fields | changes)


def who(person: str, *roles: str, **changes: Any) -> Entitled:
    return Entitled(person=person, roles=frozenset(roles), **changes)


def vote(
    checkpoint: Checkpoint,
    voter: Entitled,
    option: Option = Option.APPROVE,
    *,
    stands_for: tuple[Entitled, ...] = (),
    void: frozenset[str] = frozenset(),
) -> Checkpoint:
    electorate = Electorate(voter=voter, stands_for=stands_for, void=void)
    return checkpoint.vote(option, electorate, etag=ETAG, now=NOW)[0]


def cause(call: Any) -> str:
    with pytest.raises(NotEntitled) as refused:
        call()
    return str(refused.value.metadata["cause"])


def test_stages_come_in_order_and_nobody_counts_in_two() -> None:
    waiting = a_checkpoint(TWO_STAGES)
    ada, bea, cem = who("a", "finance", "board"), who("b", "finance"), who("c", "board")

    assert cause(lambda: vote(waiting, cem)) == "ANOTHER_STAGE"
    one = vote(waiting, ada)
    two = vote(one, bea)
    assert two.state is State.PENDING
    assert cause(lambda: vote(two, ada)) == "ALREADY_VOTED"
    assert cause(lambda: vote(two, who("d", "finance"))) == "ANOTHER_STAGE"
    assert vote(two, cem).state is State.APPROVED


def test_who_has_a_veto_says_no_in_any_stage_and_never_yes() -> None:
    waiting = a_checkpoint(a_requirement((1, role("finance")), veto=role("legal")))
    lea = who("l", "legal")

    assert vote(waiting, lea, Option.REJECT).state is State.REJECTED
    assert cause(lambda: vote(waiting, lea)) == "ANOTHER_STAGE"
    assert cause(lambda: vote(waiting, who("x"), Option.REJECT)) == "NOT_AN_APPROVER"


def test_four_eyes_keep_the_requester_from_yes_and_not_from_no() -> None:
    waiting = a_checkpoint(a_requirement((1, role("finance")), four_eyes=True),
                           excluded=frozenset({"a"}))  # fmt: skip
    ada = who("a", "finance", is_owner=True)

    assert cause(lambda: vote(waiting, ada)) == "FOUR_EYES"
    assert vote(waiting, ada, Option.REJECT).state is State.REJECTED
    assert vote(waiting, who("b", "finance")).state is State.APPROVED
    # Nor through a deputy: the seat is the requester's.
    refused = cause(lambda: vote(waiting, who("d"), stands_for=(ada,)))
    assert refused == "SEAT_TAKEN"


def test_a_deputy_takes_one_seat_which_is_then_taken() -> None:
    waiting = a_checkpoint(a_requirement((2, role("finance"))))
    ada, bea, dan = who("a", "finance"), who("b", "finance"), who("d")

    by_deputy = vote(waiting, dan, stands_for=(ada, bea))
    assert by_deputy.ballots == (Ballot("d", "a", 1),)
    assert cause(lambda: vote(by_deputy, dan, stands_for=(ada, bea))) == "ALREADY_VOTED"
    assert cause(lambda: vote(by_deputy, ada)) == "SEAT_TAKEN"
    assert vote(by_deputy, bea).state is State.APPROVED


def test_the_fallback_approves_once_it_is_asked_and_not_before() -> None:
    requirement = a_requirement((1, role("finance")), fallback=role("board"))
    boss = who("z", "board")

    assert cause(lambda: vote(a_checkpoint(requirement), boss)) == "NOT_AN_APPROVER"
    escalated = a_checkpoint(requirement, escalated=True)
    assert vote(escalated, boss).state is State.APPROVED


def test_a_claim_holds_others_approvals_back_until_it_ends_and_no_rejection() -> None:
    waiting = a_checkpoint(a_requirement((2, role("finance"))))
    ada, bea = who("a", "finance"), who("b", "finance")
    claimed = waiting.claim("a", "a", NOW + timedelta(minutes=15), NOW)

    with pytest.raises(CheckpointClaimed):
        vote(claimed, bea)
    with pytest.raises(CheckpointClaimed):
        claimed.claim("b", "b", NOW + timedelta(hours=1), NOW)
    assert vote(claimed, bea, Option.REJECT).state is State.REJECTED
    handed_on = claimed.claim("a", "b", NOW + timedelta(hours=1), NOW)
    assert vote(handed_on, bea).claimed_by == ""
    # The claim that has voted holds nobody back, nor does one whose time is over.
    assert vote(vote(claimed, ada), bea).state is State.APPROVED
    assert vote(replace(claimed, claim_until=NOW), bea).state is State.PENDING


def test_a_revoked_approval_makes_room_for_another() -> None:
    once = vote(a_checkpoint(a_requirement((2, role("finance")))), who("a", "finance"))

    again = vote(once, who("b", "finance"), void=frozenset({"a"}))
    assert again.state is State.PENDING
    third = vote(again, who("c", "finance"), void=frozenset({"a"}))
    assert third.state is State.APPROVED


def test_a_vote_counts_as_long_as_voter_and_seat_are_entitled() -> None:
    requirement, ballot = a_requirement((1, role("finance"))), Ballot("d", "a", 1)
    ada, dan = who("a", "finance"), who("d")

    def counts(**alive: Entitled) -> bool:
        return still_counts(requirement, ballot, alive, escalated=False)

    assert counts(a=ada, d=dan)
    assert not counts(a=ada)
    assert not counts(d=dan)
    assert not counts(a=who("a"), d=dan)


PERSONS = st.builds(
    lambda person, roles: who(person, *roles),
    st.sampled_from(PEOPLE),
    st.sets(st.sampled_from(ROLES)),
)


@given(st.lists(PERSONS, max_size=8, unique_by=lambda one: one.person), st.integers(1, 3),
       st.integers(1, 2), st.randoms())  # fmt: skip
def test_in_whatever_order_people_come_it_is_approved_iff_the_numbers_are_there(
    people: list[Entitled], first: int, second: int, random: Any
) -> None:
    requirement = a_requirement((first, role("finance")), (second, role("board")))
    checkpoint = a_checkpoint(requirement)
    random.shuffle(people)
    # Everybody comes again and again, as people do, until nothing changes any more.
    for voter in people * (len(people) + 1):
        try:
            checkpoint = vote(checkpoint, voter)
        except (NotEntitled, CheckpointNotPending):
            continue
    approved = checkpoint.state is State.APPROVED
    assert approved == enough(requirement, checkpoint.ballots)
    persons = [ballot.person for ballot in checkpoint.ballots]
    assert len(set(persons)) == len(persons)
    living = [[one.person for one in people if wanted in one.roles] for wanted in ROLES]
    if approved:
        assert can_be_met(requirement, living, ())


@given(st.lists(st.sets(st.sampled_from(PEOPLE)), min_size=1, max_size=3),
       st.lists(st.integers(1, 2), min_size=3, max_size=3),
       st.sets(st.sampled_from("ab")))  # fmt: skip
def test_a_requirement_can_be_met_iff_different_people_fit_every_place(
    living: list[set[str]], numbers: list[int], excluded: set[str]
) -> None:
    requirement = a_requirement(
        *((number, role("any")) for number, _ in zip(numbers, living, strict=False))
    )
    places = [people for number, people in zip(numbers, living, strict=False)
              for people in [people] * number]  # fmt: skip
    fits = any(
        all(person in people for person, people in zip(chosen, places, strict=True))
        for chosen in permutations(set(PEOPLE) - excluded, len(places))
    )
    assert can_be_met(requirement, [sorted(people) for people in living], excluded) == fits


class Votes(RuleBasedStateMachine):
    """Votes, deputies, roles given and taken, claims: never approved by too few."""

    @initialize(first=st.integers(1, 3), second=st.integers(0, 2), four_eyes=st.booleans())
    def begin(self, first: int, second: int, four_eyes: bool) -> None:
        stages = [(first, role("finance"))] + ([(second, role("board"))] if second else [])
        self.requirement = a_requirement(*stages, four_eyes=four_eyes)
        self.checkpoint = a_checkpoint(
            self.requirement, excluded=frozenset({"a"} if four_eyes else ())
        )
        self.roles: dict[str, set[str]] = {person: {"finance"} for person in PEOPLE}
        self.roles["e"] = self.roles["f"] = {"board"}
        self.stands_for: dict[str, str] = {}

    @rule(person=st.sampled_from(PEOPLE), roles=st.sets(st.sampled_from(ROLES)))
    def give_roles(self, person: str, roles: set[str]) -> None:
        self.roles[person] = roles

    @rule(deputy=st.sampled_from(PEOPLE), principal=st.sampled_from(PEOPLE))
    def appoint(self, deputy: str, principal: str) -> None:
        if deputy != principal:
            self.stands_for[deputy] = principal

    @rule(person=st.sampled_from(PEOPLE), minutes=st.integers(0, 30))
    def claim(self, person: str, minutes: int) -> None:
        try:
            until = NOW + timedelta(minutes=minutes)
            self.checkpoint = self.checkpoint.claim(person, person, until, NOW)
        except (CheckpointClaimed, CheckpointNotPending):
            return

    @rule(person=st.sampled_from(PEOPLE))
    def approve(self, person: str) -> None:
        principal = self.stands_for.get(person)
        before = self.checkpoint
        try:
            self.checkpoint = vote(
                before,
                self.entitled(person),
                stands_for=(self.entitled(principal),) if principal else (),
                void=frozenset(b.person for b in before.ballots if not self.counts(b)),
            )
        except (NotEntitled, CheckpointClaimed, CheckpointNotPending):
            return
        if self.checkpoint.state is State.APPROVED:
            counted = [b for b in self.checkpoint.ballots if self.counts(b)]
            for number, stage in enumerate(self.requirement.stages, 1):
                assert len({b.person for b in counted if b.stage == number}) >= stage.required
            assert len({b.seat for b in counted}) == len(counted)

    @invariant()
    def nobody_counts_twice_and_nobody_excluded_counts(self) -> None:
        if not hasattr(self, "checkpoint"):
            return
        ballots = self.checkpoint.ballots
        assert len({b.person for b in ballots}) == len(ballots)
        assert len({b.seat for b in ballots}) == len(ballots)
        assert not {b.person for b in ballots} & self.checkpoint.excluded
        assert not {b.seat for b in ballots} & self.checkpoint.excluded

    def entitled(self, person: str) -> Entitled:
        return who(person, *self.roles[person])

    def counts(self, ballot: Ballot) -> bool:
        alive = {person: self.entitled(person) for person in PEOPLE}
        return still_counts(self.requirement, ballot, alive, escalated=False)


TestVotes = Votes.TestCase
