"""Decisions, from the bytes of the actions to the rows with their events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import Any, NamedTuple

from chenu.governance.v1.approval_pb2 import ApprovalRequirement
from chenu.governance.v1.authorization_service_pb2 import ActionRequest
from chenu_gate.action import Action
from chenu_gate.refusal import ActionRefused, Refusal, quoted
from kernel.caller import Caller
from kernel.context import new_id
from services.governance.clock import Clock
from services.governance.decision_events import outbox_rows
from services.governance.errors import ActionInvalid, OperationReserved, PrincipalMismatch
from services.governance.holds.agent_limits import always_gated
from services.governance.holds.coverage import Use
from services.governance.messages import SPHERES
from services.governance.policy.counting import asked_for, contributions
from services.governance.policy.replay import changed, verdict_of
from services.governance.policy.risk import risk_word
from services.governance.policy.rule import OWN_EXECUTOR
from services.governance.policy.rule_book import InForce
from services.governance.policy.rules import Effect, Facts, Judgement, RuleSet
from services.governance.policy.today import Likes, Used, moved
from services.governance.review.gate import gate
from services.governance.review.lifecycle import NO_ELIGIBLE_APPROVER
from services.governance.review.requirements import Requirements, owner_alone


class Judged(NamedTuple):
    """An action that somebody asks for, and what the rules say of it.

    `shadow` is what the rules in the shadow say, where that is something else; `counted` is what
    the action adds to which tally, unless it is refused besides the rules; `refused` tells that
    the later ones of its plan were judged as if it is.
    """

    request: ActionRequest
    action: Action
    facts: Facts
    judgement: Judgement
    rules: RuleSet
    shadow: Mapping[str, str] | None
    counted: Mapping[str, int]
    refused: bool


class Decisions:
    """Decides what nobody has asked before; the rows say whether somebody has.

    Without any I/O, so that a thread can do it: a large action takes tens of milliseconds.
    """

    def __init__(self, requirements: Requirements, clock: Clock) -> None:
        self._requirements, self._clock = requirements, clock

    def parse(
        self, caller: Caller, requests: Sequence[ActionRequest], *, own: bool = False
    ) -> list[Action]:
        """The actions, if all of them are the caller's own.

        `own` tells governance's own operations, which nobody else can ask for.
        """
        actions = [_parsed(request, index, caller) for index, request in enumerate(requests)]
        for index, action in enumerate(actions):
            if (action.executor == OWN_EXECUTOR) is not own:
                raise OperationReserved(index=str(index), tool=action.tool.name)
        return actions

    def judge(
        self,
        caller: Caller,
        requests: Sequence[ActionRequest],
        actions: Sequence[Action],
        in_force: InForce,
        *,
        tallies: Mapping[str, int],
        identities: Sequence[str] = (),
        refused: Set[int] = frozenset(),
        decided: Set[str] = frozenset(),
    ) -> list[Judged]:
        """What the rules say of each action; the later ones of a plan count the earlier ones.

        `tallies` are the sums of before; `identities` those of the person's that are named;
        `refused` the places of actions that count for nothing, whatever the rules say of them;
        `decided` the request ids that the tallies know already.
        """
        sums = dict(tallies)
        judged = []
        for place, (request, action) in enumerate(zip(requests, actions, strict=True)):
            facts = Facts(
                tenant=caller.tenant,
                person=caller.person,
                identity=caller.identity,
                agent=caller.agent,
                actor=caller.actor,
                requires_checkpoint=request.requires_checkpoint or always_gated(caller),
                time=self._clock.at(datetime.now(UTC)),
                identities=tuple(identities),
                counters={
                    counter.key: sums.get(counter.tally(action), 0)
                    for counter in asked_for(in_force, action)
                },
            )
            judgement = in_force.live.judge(action, facts)
            counted = {}
            if judgement.effect is not Effect.DENY:
                counted = contributions(in_force, action)
            adds = place not in refused and request.request_id.lower() not in decided
            for tally, amount in counted.items() if adds else ():
                sums[tally] = sums.get(tally, 0) + amount
            shadow = _shadow(in_force, action, facts, judgement)
            judged.append(
                Judged(
                    request,
                    action,
                    facts,
                    judgement,
                    in_force.live,
                    shadow,
                    counted,
                    place in refused,
                )
            )
        return judged

    def requirement(self, judged: Judged, approval: str = "") -> ApprovalRequirement | None:
        """What it takes to approve the action, where a person must decide.

        `approval` is said by whoever asks, where that is not what the rule says.
        """
        if judged.judgement.effect is not Effect.CHECKPOINT:
            return None
        rule = judged.rules.named(judged.judgement.rule)
        return self._requirements.of(approval or (rule.approval if rule else ""))

    def rows(
        self,
        judged: Sequence[Judged],
        takes: Sequence[ApprovalRequirement | None],
        approvable: Sequence[bool],
        today: Likes,
        refusals: Sequence[str],
        uses: Sequence[Use | None],
    ) -> list[dict[str, Any]]:
        """The decisions as they are stored where the request ids are new: see migration 0004.

        What it takes to approve each, whether there are people who could, what of the likes of
        those was permitted `today`, what stands against each besides the rules (as a rule
        nothing: ""), and the grant that covers it.
        """
        rows = []
        for index, one in enumerate(judged):
            requirement, refused, granted = takes[index], refusals[index], None
            if requirement is not None and owner_alone(requirement):
                # The owner grants nothing that others have to approve.
                granted = uses[index]
            unasked = requirement is None or granted is not None
            if not unasked and not refused and not approvable[index]:
                refused = NO_ELIGIBLE_APPROVER
            granted = granted if not refused else None
            rows.append(self._row(one, index, requirement, refused, granted, today))
        return rows

    def _row(
        self,
        judged: Judged,
        index: int,
        requirement: ApprovalRequirement | None,
        refused: str,
        granted: Use | None,
        today: Likes,
    ) -> dict[str, Any]:
        request, action, facts, judgement, rules, shadow, counted, _ = judged
        asks = requirement if not refused and granted is None else None
        used = today[action.kind, action.tool.name] if asks is not None else {}
        stored = facts.stored() | {"built_in": rules.built_in_revision}
        if requirement is not None:
            stored["risk"] = risk_word(action)
        if (amount := moved(action)) is not None:
            stored["amount"] = amount
        if asks is not None:
            stored["today"] = used
        if granted is not None:
            stored["grant"] = granted.grant_id
        row = {
            "decision_id": new_id(),
            "agent": facts.agent,
            "request_id": request.request_id,
            "action_digest": action.digest,
            "requires_checkpoint": request.requires_checkpoint,
            "kind": action.kind.value,
            "tool": action.tool.name,
            "executor": action.executor,
            "run": action.run,
            "thread": action.thread,
            "sphere": action.source_sphere,
            "effect": judgement.effect.value,
            "rule": judgement.rule,
            "rule_revision": rules.revision,
            "warnings": list(judgement.warnings),
            "refusal": refused,
            "facts": stored,
            "action": action.canonical().decode(),
            "amount": granted.amount if granted else 0,
            "shadow": shadow,
            "counted": [
                {"tally": tally, "amount": amount}
                for tally, amount in counted.items()
                if not refused
            ],
            "checkpoint": self._gate(judged, index, asks, used) if asks else None,
        }
        return row | {"events": outbox_rows(row)}

    def _gate(
        self, judged: Judged, index: int, requirement: ApprovalRequirement, used: Used
    ) -> dict[str, Any]:
        request, action, facts, judgement, rules = judged[:5]
        try:
            return gate(
                action,
                judgement,
                rules,
                requirement,
                checkpoint_id=new_id(),
                agent_words=request.agent_words,
                facts=facts,
                used=used,
            )
        except ActionRefused as refused:
            raise _invalid(refused, index) from None


def _shadow(
    in_force: InForce, action: Action, facts: Facts, judgement: Judgement
) -> dict[str, str] | None:
    """What the rules in the shadow say, as it is noted, if they say something else."""
    if in_force.shadow is None:
        return None
    said = in_force.shadow.judge(action, facts)
    change = changed(verdict_of(judgement, in_force.live), verdict_of(said, in_force.shadow))
    if change is None:
        return None
    return {
        "revision": in_force.shadow.revision,
        "change": change.value,
        "effect": said.effect.value,
        "rule": said.rule,
    }


def _parsed(request: ActionRequest, index: int, caller: Caller) -> Action:
    """The action that the caller asks for, for itself and for nobody else."""
    try:
        action = Action.parse(request.action)
        check_spheres(action)
    except ActionRefused as refused:
        raise _invalid(refused, index) from None
    principal = action.principal
    named = (principal.tenant, principal.person, principal.identity, principal.agent)
    if named != (caller.tenant, caller.person, caller.identity, caller.agent):
        raise PrincipalMismatch(index=str(index))
    return action


def check_spheres(action: Action) -> None:
    """Raise ActionRefused for a sphere that there is not: rules go by what an action names."""
    for place in ("source_sphere", "target_sphere"):
        named = getattr(action, place)
        if named and named not in SPHERES:
            told = f"{quoted(named)} is none of {', '.join(SPHERES)}"
            raise ActionRefused(Refusal.BAD_VALUE, place, told)


def _invalid(refused: ActionRefused, index: int) -> ActionInvalid:
    return ActionInvalid(str(refused), cause=refused.cause, index=str(index))
