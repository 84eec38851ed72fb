"""Rows of governance's tables, as the database gives them out in JSON."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from chenu_gate.action import Action
from kernel.caller import Caller
from kernel.context import new_id
from kernel.tokens import SigningKey
from services.governance.policy.built_in_rules import BUILT_IN
from services.governance.policy.rule import Facts, Judgement
from services.governance.policy.rules import RuleSet

RULES: Final = RuleSet(BUILT_IN)
Row: TypeAlias = dict[str, Any]


def now(**ahead: float) -> str:
    """This moment, or one a while ahead."""
    return (datetime.now(UTC) + timedelta(**ahead)).isoformat()


def decision_row(action: Action, judged: Judgement, known: Facts, approval: Any) -> Row:
    """A decision."""
    principal = action.principal
    return {
        "decision_id": new_id(),
        "tenant": principal.tenant,
        "identity": principal.identity,
        "person": principal.person,
        "agent": principal.agent,
        "request_id": new_id(),
        "action_digest": action.digest,
        "kind": action.kind.value,
        "tool": action.tool.name,
        "executor": action.executor,
        "run": action.run,
        "thread": action.thread,
        "sphere": action.source_sphere,
        "effect": judged.effect.value,
        "rule": judged.rule,
        "rule_revision": RULES.revision,
        "warnings": [],
        "refusal": "",
        "facts": known.stored() | {"built_in": RULES.built_in_revision},
        "create_time": now(),
        "approval": approval,
    }


def checkpoint_row(gated: Row) -> Row:
    """A checkpoint that waits."""
    return {
        "checkpoint_id": gated["checkpoint_id"],
        "type": gated["type"],
        "state": "pending",
        "version": 1,
        "revision": 1,
        "etag": gated["etag"],
        "approval": gated["approval"],
        "escalated": False,
        "create_time": now(),
        "expire_time": now(hours=1),
        "resolve_time": None,
        "valid_until": None,
        "execute_by": None,
    }


def question_row(person: str) -> Row:
    """What somebody asks about a checkpoint."""
    return {
        "remark_id": new_id(),
        "person": person,
        "is_question": True,
        "create_time": now(),
        "remark": "Is this the right one?",
    }


def vote_token(key: SigningKey, voter: Caller, checkpoint: Row, token_id: str) -> str:
    """What identity would have issued for one vote."""
    claims = {
        "jti": token_id,
        "sub": voter.person,
        "identity": voter.identity,
        "tenant": voter.tenant,
        "actor": "human",
        "sid": "s-1",
        "aud": "governance",
        "checkpoint": checkpoint["checkpoint_id"],
        "view_digest": checkpoint["etag"],
        "amr": ["pwd"],
    }
    return key.sign(claims, typ="vote+jwt", ttl=60)
