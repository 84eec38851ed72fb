"""The rules that hold for everybody, from the first day on."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from chenu_gate.action import ActionKind
from services.governance.policy.counters import MICROS
from services.governance.policy.rule import CheckpointType, Effect, Rule

_CROSSES = 'action.target_sphere != "" && action.target_sphere != action.source_sphere'

LARGE_AMOUNT: Final = 100 * MICROS

_RULES: Final[tuple[Rule, ...]] = (
    Rule(
        code="identity_boundary",
        name="Identity boundary",
        description="Nobody acts for, or on, another identity or another tenant.",
        effect=Effect.DENY,
        priority=1000,
        condition=(
            "action.tenant != caller.tenant || action.person != caller.person"
            " || action.identity != caller.identity || action.agent != caller.agent"
            ' || action.targets.exists(target, target.type == "identity"'
            " && !(target.id in caller.identities))"
            ' || action.targets.exists(target, target.type == "tenant"'
            " && target.id != caller.tenant)"
        ),
    ),
    Rule(
        code="identity_crossing",
        name="Between two identities of one person",
        description="What one of a person's identities does to another waits for that person.",
        effect=Effect.CHECKPOINT,
        checkpoint_type=CheckpointType.IDENTITY_BOUNDARY,
        priority=950,
        condition=(
            'action.targets.exists(target, target.type == "identity"'
            " && target.id != caller.identity)"
        ),
    ),
    Rule(
        code="payment",
        name="Payment",
        description="Money is moved only after a person has agreed.",
        effect=Effect.CHECKPOINT,
        checkpoint_type=CheckpointType.BUDGET_APPROVAL,
        priority=900,
        kinds=(ActionKind.PAYMENT,),
    ),
    Rule(
        code="destructive_action",
        name="Destructive action",
        description="What cannot be brought back is deleted only after a person has agreed.",
        effect=Effect.CHECKPOINT,
        checkpoint_type=CheckpointType.DESTRUCTIVE_ACTION,
        priority=800,
        kinds=(ActionKind.DELETE,),
    ),
    Rule(
        code="scope_elevation",
        name="Scope elevation",
        description="Rights and settings change only after a person has agreed.",
        effect=Effect.CHECKPOINT,
        checkpoint_type=CheckpointType.SCOPE_ELEVATION,
        priority=700,
        kinds=(ActionKind.CONFIGURE,),
    ),
    Rule(
        code="data_export",
        name="Data export",
        description="A copy leaves CHE·NU only after a person has agreed.",
        effect=Effect.CHECKPOINT,
        checkpoint_type=CheckpointType.DATA_ACCESS,
        priority=600,
        kinds=(ActionKind.EXPORT,),
    ),
    Rule(
        code="budget_limit",
        name="Budget limit",
        description=f"More than {LARGE_AMOUNT // MICROS} is moved, or an amount that is unknown.",
        effect=Effect.WARN,
        priority=550,
        condition=f"action.amount > {LARGE_AMOUNT}",
    ),
    Rule(
        code="external_communication",
        name="External communication",
        description="What others will read is sent or published only after a person has agreed.",
        effect=Effect.CHECKPOINT,
        checkpoint_type=CheckpointType.EXECUTION_APPROVAL,
        priority=500,
        kinds=(ActionKind.SEND, ActionKind.PUBLISH),
    ),
    Rule(
        code="sphere_isolation",
        name="Sphere isolation",
        description="Nothing passes from one sphere into another before a person has agreed.",
        effect=Effect.CHECKPOINT,
        checkpoint_type=CheckpointType.CROSS_SPHERE,
        priority=400,
        condition=f'action.kind == "transfer" || ({_CROSSES})',
    ),
    Rule(
        code="requested_checkpoint",
        name="Requested checkpoint",
        description="Whoever asks for an action may want a person to decide it.",
        effect=Effect.CHECKPOINT,
        checkpoint_type=CheckpointType.EXECUTION_APPROVAL,
        priority=100,
        condition="requires_checkpoint",
    ),
    Rule(
        code="own_sphere_changes",
        name="Changes in the own sphere",
        description="Creating and changing within the identity's own sphere is allowed.",
        effect=Effect.ALLOW,
        priority=50,
        kinds=(ActionKind.CREATE, ActionKind.UPDATE),
        condition=f"!({_CROSSES})",
    ),
    Rule(
        code="reading",
        name="Reading",
        description="Querying, searching, summarizing and analyzing is allowed.",
        effect=Effect.ALLOW,
        priority=10,
        kinds=(ActionKind.QUERY, ActionKind.SEARCH, ActionKind.SUMMARIZE, ActionKind.ANALYZE),
    ),
)

_LOOSENABLE: Final = {"data_export", "budget_limit"}
"""What a tenant's rule may override. All else is the constitution, or allows and needs it not."""

BUILT_IN: Final = tuple(
    replace(rule, built_in=True, loosenable=rule.code in _LOOSENABLE) for rule in _RULES
)
