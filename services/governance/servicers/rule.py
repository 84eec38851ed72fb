"""RuleService: what governance goes by."""

from __future__ import annotations

from typing import Any

from chenu.governance.v1.rule_service_pb2 import ListRulesRequest, ListRulesResponse, Rule
from chenu.governance.v1.rule_service_pb2_grpc import RuleServiceServicer
from services.governance.messages import EFFECTS, KINDS, TYPES
from services.governance.requirements import parse
from services.governance.rules import RuleSet


class RuleServicer(RuleServiceServicer):
    """The rules in force."""

    def __init__(self, rules: RuleSet) -> None:
        self._answer = ListRulesResponse(
            revision=rules.revision,
            rules=[
                Rule(
                    code=rule.code,
                    name=rule.name,
                    description=rule.description,
                    condition=rule.condition,
                    effect=EFFECTS[rule.effect.value],
                    checkpoint_type=TYPES[
                        rule.checkpoint_type.value if rule.checkpoint_type else "unspecified"
                    ],
                    priority=rule.priority,
                    kinds=[KINDS[kind.value] for kind in rule.kinds],
                    approval=parse(rule.approval) if rule.approval else None,
                )
                for rule in rules.rules
            ],
        )

    async def ListRules(self, request: ListRulesRequest, context: Any) -> ListRulesResponse:
        return self._answer
