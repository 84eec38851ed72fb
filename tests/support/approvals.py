"""Rules with approval requirements, and people of one tenant, for the tests of governance.

client.ask(ada, gated(ada, tool=tool("quorum")))     # waits for two of finance
"""

import json
from dataclasses import replace
from typing import Any, Final

from chenu.governance.v1.authorization_service_pb2 import ActionRequest
from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint
from chenu.governance.v1.checkpoint_service_pb2 import ListCheckpointsRequest
from chenu_gate.action import Tool
from services.governance.policy.built_in_rules import BUILT_IN
from services.governance.policy.rules import CheckpointType, Effect, Rule
from tests.support.actions import DEFINITION
from tests.support.governance_client import GovernanceClient, gated
from tests.support.identity import Person, StandInIdentity

OFFICE: Final[dict[str, Any]] = {
    "time_zone": "UTC", "days": [1, 2, 3, 4, 5], "start": "09:00", "end": "17:00",
}  # fmt: skip
REQUIREMENTS: Final[dict[str, dict[str, Any]]] = {
    "quorum": {"stages": [{"required": 2, "approvers": {"roles": ["finance"]}}]},
    "stages": {
        "stages": [
            {"name": "finance", "required": 1, "approvers": {"roles": ["finance"]}},
            {"name": "board", "required": 1, "approvers": {"roles": ["board"]}},
        ],
        "veto": {"roles": ["legal"]},
    },
    "four-eyes": {
        "stages": [{"required": 1, "approvers": {"owner": True, "roles": ["finance"]}}],
        "four_eyes": True,
    },
    "veto": {
        "stages": [{"required": 1, "approvers": {"owner": True}}],
        "veto": {"roles": ["legal"]},
    },
    "clocks": {
        "stages": [{"required": 1, "approvers": {"owner": True}}],
        "remind_after": "600s",
        "escalate_after": "1200s",
        "fallback": {"roles": ["board"]},
        "expire_after": "3600s",
        "validity": "1800s",
        "execute_within": "4200s",
    },
    "remote": {"remote_risk_class": "RISK_CLASS_MEDIUM"},
    "log-in": {"remote_risk_class": "RISK_CLASS_UNSPECIFIED"},
    "plain": {"validity": "3600s"},
    "office": {"expire_after": "3600s", "working_hours": OFFICE},
}
_FOUR_EYES: Final = {
    "stages": [{"required": 1, "approvers": {"roles": ["finance"]}}], "four_eyes": True,
}  # fmt: skip
_PAID: Final = 'action.tool == "test.pay" && action.arguments.amount'
RULES: Final = (
    *BUILT_IN,
    Rule(
        code="test_pay_too_much",
        name="Too much",
        description="Nobody pays so much.",
        effect=Effect.DENY,
        priority=998,
        condition=f"{_PAID} > 5000",
    ),
    Rule(
        code="test_pay_much",
        name="Much",
        description="Somebody else looks at it.",
        effect=Effect.CHECKPOINT,
        checkpoint_type=CheckpointType.BUDGET_APPROVAL,
        priority=997,
        condition=f"{_PAID} > 1000",
        approval=json.dumps(_FOUR_EYES),
    ),
    Rule(
        code="test_pay",
        name="Pay",
        description="Two look at it.",
        effect=Effect.CHECKPOINT,
        checkpoint_type=CheckpointType.BUDGET_APPROVAL,
        priority=996,
        condition='action.tool == "test.pay"',
        approval=json.dumps(
            {"stages": [{"required": 2, "approvers": {"owner": True, "roles": ["finance"]}}]}
        ),
    ),
    *(
        Rule(
            code=f"test_{name}",
            name=name,
            description="For tests.",
            effect=Effect.CHECKPOINT,
            checkpoint_type=CheckpointType.EXECUTION_APPROVAL,
            priority=990,
            condition=f'action.tool == "test.{name}"',
            approval=json.dumps(requirement),
        )
        for name, requirement in REQUIREMENTS.items()
    ),
)


def tool(name: str) -> Tool:
    """The tool whose actions take that requirement."""
    return Tool(f"test.{name}", DEFINITION)


def colleague(identity: StandInIdentity, of: Person, *roles: str) -> Person:
    """Somebody else of the same tenant, with these roles."""
    person = Person(tenant=of.tenant, roles=roles)
    identity.roles[person.person] = roles
    identity.tenants[person.person] = of.tenant
    return person


def with_roles(identity: StandInIdentity, person: Person, *roles: str) -> Person:
    """The person with other roles, which identity knows at once."""
    identity.roles[person.person] = roles
    return replace(person, roles=roles)


async def waiting(
    client: GovernanceClient, ada: Person, name: str
) -> tuple[ActionRequest, BlockedCheckpoint]:
    """An action that waits for what the requirement of that name says."""
    return await client.blocked(ada, gated(ada, tool=tool(name)))


async def inbox(client: GovernanceClient, person: Person, **metadata: Any) -> list[str]:
    """The ids of what is pending for a person, the latest first."""
    answer = await client.checkpoints.ListCheckpoints(
        ListCheckpointsRequest(), metadata=metadata.get("as_", client.identity.as_human(person))
    )
    return [checkpoint.checkpoint_id for checkpoint in answer.checkpoints]
