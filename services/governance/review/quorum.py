"""Who may decide, in whose place, and when it is enough. Pure.

Every approval takes a *seat*: the voter's own, or that of somebody whose deputy the voter is.
A person votes once and a seat is taken once, whatever the stages and identities.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from chenu.governance.v1.approval_pb2 import ApprovalRequirement, Approvers, RiskClass
from services.governance.errors import NotEntitled


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitled:
    """A living person, and what identity says of them at this moment."""

    person: str
    identity: str = ""
    is_owner: bool = False
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ballot:
    """An approval that was given: by whom, in whose seat, in which stage (from 1)."""

    person: str
    seat: str
    stage: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Electorate:
    """Who stands before a checkpoint: the voter, for whom they stand in, whose votes are void."""

    voter: Entitled
    stands_for: tuple[Entitled, ...] = ()
    void: frozenset[str] = frozenset()

    def counted(self, ballots: Iterable[Ballot]) -> list[Ballot]:
        """The ballots of people who are still entitled."""
        return [ballot for ballot in ballots if ballot.person not in self.void]


def names(approvers: Approvers, who: Entitled) -> bool:
    """Whether the group names this person."""
    return bool(
        (approvers.owner and who.is_owner)
        or who.roles.intersection(approvers.roles)
        or who.person in {person.lower() for person in approvers.person_ids}
    )


def current_stage(requirement: ApprovalRequirement, ballots: Iterable[Ballot]) -> int:
    """The first stage (from 1) that lacks approvals; the last one when none does."""
    taken = Counter(ballot.stage for ballot in ballots)
    for number, stage in enumerate(requirement.stages, 1):
        if taken[number] < stage.required:
            return number
    return len(requirement.stages)


def enough(requirement: ApprovalRequirement, ballots: Sequence[Ballot]) -> bool:
    """Whether every stage has its number, of different people in different seats."""
    persons, seats = {b.person for b in ballots}, {b.seat for b in ballots}
    taken = Counter(ballot.stage for ballot in ballots)
    full = (taken[n] >= stage.required for n, stage in enumerate(requirement.stages, 1))
    return all(full) and len(persons) == len(seats) == len(ballots)


def may_approve(
    requirement: ApprovalRequirement, stage: int, who: Entitled, *, escalated: bool
) -> bool:
    """Whether the stage, or the fallback once it is asked, names this person."""
    if stage > len(requirement.stages):
        return False
    return names(requirement.stages[stage - 1].approvers, who) or (
        escalated and names(requirement.fallback, who)
    )


def may_reject(requirement: ApprovalRequirement, who: Entitled, *, escalated: bool) -> bool:
    """Whether the requirement names this person anywhere: everybody named may say no."""
    stages = range(1, len(requirement.stages) + 1)
    return names(requirement.veto, who) or any(
        may_approve(requirement, stage, who, escalated=escalated) for stage in stages
    )


def approval(
    requirement: ApprovalRequirement,
    ballots: Sequence[Ballot],
    electorate: Electorate,
    excluded: Collection[str],
    *,
    escalated: bool,
) -> Ballot:
    """The ballot of an approval in the stage that is on; NotEntitled says why there is none."""
    voter = electorate.voter
    counted = electorate.counted(ballots)
    if voter.person in excluded:
        raise NotEntitled(cause="FOUR_EYES")
    if voter.person in {ballot.person for ballot in ballots}:
        raise NotEntitled(cause="ALREADY_VOTED")
    stage = current_stage(requirement, counted)
    taken = {ballot.seat for ballot in ballots}
    named = [
        who
        for who in (voter, *electorate.stands_for)
        if may_approve(requirement, stage, who, escalated=escalated)
    ]
    if not named:
        later = may_reject(requirement, voter, escalated=escalated)
        raise NotEntitled(cause="ANOTHER_STAGE" if later else "NOT_AN_APPROVER")
    for who in named:
        if who.person not in taken and who.person not in excluded:
            return Ballot(voter.person, who.person, stage)
    raise NotEntitled(cause="SEAT_TAKEN")


def rejection(
    requirement: ApprovalRequirement,
    ballots: Sequence[Ballot],
    electorate: Electorate,
    *,
    escalated: bool,
) -> Ballot:
    """The ballot of a rejection; NotEntitled if nobody whom the voter stands for is named."""
    stage = current_stage(requirement, electorate.counted(ballots))
    for who in (electorate.voter, *electorate.stands_for):
        if may_reject(requirement, who, escalated=escalated):
            return Ballot(electorate.voter.person, who.person, stage)
    raise NotEntitled(cause="NOT_AN_APPROVER")


def decides_from_afar(requirement: ApprovalRequirement, risk: RiskClass) -> bool:
    """Whether a mail or a chat may decide what can do that much harm; never where none knows it."""
    return RiskClass.RISK_CLASS_LOW <= risk <= requirement.remote_risk_class


def still_counts(
    requirement: ApprovalRequirement,
    ballot: Ballot,
    alive: Mapping[str, Entitled],
    *,
    escalated: bool,
) -> bool:
    """Whether an approval holds now: its voter lives, and its seat is still entitled."""
    who = alive.get(ballot.seat)
    return (
        ballot.person in alive
        and who is not None
        and may_approve(requirement, ballot.stage, who, escalated=escalated)
    )


def can_be_met(
    requirement: ApprovalRequirement,
    living: Sequence[Collection[str]],
    excluded: Collection[str],
) -> bool:
    """Whether there are different people for every approval; `living` is who may, by stage."""
    wanted = [stage for stage, one in enumerate(requirement.stages) for _ in range(one.required)]
    given: dict[str, int] = {}

    def find(place: int, tried: set[str]) -> bool:
        """Kuhn's matching: a person for this place, moving others where that helps."""
        for person in living[wanted[place]]:
            if person in excluded or person in tried:
                continue
            tried.add(person)
            if person not in given or find(given[person], tried):
                given[person] = place
                return True
        return False

    return all(find(place, set()) for place in range(len(wanted)))
