"""Rules tried out: cases with what is expected, and one action with the reasons for its verdict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from google.protobuf.json_format import ParseDict

from chenu.governance.v1.approval_pb2 import ApprovalRequirement
from chenu.governance.v1.rule_pb2 import Evaluation, RuleCase, RuleCaseResult, RuleMatch
from chenu_gate.action import Action, Principal
from chenu_gate.refusal import ActionRefused
from chenu_gate.trial_action import trial_action
from kernel.caller import Caller
from services.governance.decisions import check_spheres
from services.governance.messages import EFFECTS, TYPES
from services.governance.policy.rule import Effect, Facts
from services.governance.policy.rules import RuleSet
from services.governance.review.requirements import Requirements, stored

_NUMBERS: Final = {number: word.upper() for word, number in EFFECTS.items()}


class Trials:
    """Judges without deciding anything."""

    def __init__(self, requirements: Requirements) -> None:
        self._requirements = requirements

    def test(
        self, caller: Caller, rules: RuleSet, cases: Sequence[RuleCase]
    ) -> list[RuleCaseResult]:
        """How each case comes out."""
        return [self._test(caller, rules, case) for case in cases]

    def evaluate(self, rules: RuleSet, action: Action, facts: Facts) -> Evaluation:
        """What the rules say of an action, which of them, and from what."""
        judgement = rules.judge(action, facts)
        approval = None
        if judgement.effect is Effect.CHECKPOINT:
            rule = rules.named(judgement.rule)
            requirement = stored(self._requirements.of(rule.approval if rule else ""))
            approval = ParseDict(requirement, ApprovalRequirement())
        type_ = judgement.checkpoint_type
        return Evaluation(
            effect=EFFECTS[judgement.effect.value],
            rule=judgement.rule,
            checkpoint_type=TYPES[type_.value if type_ else "unspecified"],
            warnings=judgement.warnings,
            matches=[
                RuleMatch(
                    rule=match.rule.code,
                    effect=EFFECTS[match.rule.effect.value],
                    description=match.rule.description,
                    overridden_by=match.overridden_by,
                    failed=match.failed,
                )
                for match in rules.explain(action, facts)
            ],
            facts=json.dumps(facts.stored(), sort_keys=True),
            revision=rules.revision,
            approval=approval,
        )

    def _test(self, caller: Caller, rules: RuleSet, case: RuleCase) -> RuleCaseResult:
        try:
            action = _action(caller, case.action)
            facts = _facts(caller, rules, case, action)
        except (ActionRefused, ValueError) as refused:
            return RuleCaseResult(name=case.name, message=str(refused))
        evaluation = self.evaluate(rules, action, facts)
        wrong = []
        if case.expected_effect and case.expected_effect != evaluation.effect:
            wrong.append(
                f"expected {_NUMBERS[case.expected_effect]}, found {_NUMBERS[evaluation.effect]}"
            )
        if case.expected_rule and case.expected_rule != evaluation.rule:
            wrong.append(f"expected the rule {case.expected_rule}, found {evaluation.rule}")
        return RuleCaseResult(
            name=case.name, passed=not wrong, evaluation=evaluation, message="; ".join(wrong)
        )


def _action(caller: Caller, text: str) -> Action:
    try:
        given = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"the action is not JSON: {error}") from None
    action = trial_action(given, Principal(caller.tenant, caller.person, caller.identity))
    check_spheres(action)
    return action


def _facts(caller: Caller, rules: RuleSet, case: RuleCase, action: Action) -> Facts:
    """As if the principal of the action had asked for it."""
    names = {counter.name for counter in rules.counters}
    if unknown := set(case.counters) - names:
        raise ValueError(f"there is no counter {min(unknown)}")
    agent = action.principal.agent
    return Facts(
        tenant=caller.tenant,
        person=caller.person,
        identity=caller.identity,
        agent=agent,
        actor="agent" if agent else "human",
        requires_checkpoint=case.requires_checkpoint,
        time=case.time.ToDatetime(UTC) if case.HasField("time") else datetime.now(UTC),
        identities=tuple(case.own_identity_ids),
        counters={counter.key: case.counters.get(counter.name, 0) for counter in rules.counters},
    )
