"""Who agrees to what changes a tenant's own protection: its owners, and never one of many alone."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from kernel.caller import Caller
from services.governance.review.eligibility import Eligibility

KEEPER: Final = "owner"
"""The role of those who keep a tenant's rules, and let go of its brake."""
QUORUM: Final = 2
_MOST_NAMED: Final = 50


class Agreement(NamedTuple):
    """JSON text of the ApprovalRequirement, how many people that takes, and why not more."""

    requirement: str
    approvals: int
    alone: bool


def one_keeper(stage: str) -> Agreement:
    """Any of the keepers."""
    return _agreement({"name": stage, "required": 1, "approvers": {"roles": [KEEPER]}})


async def quorum(eligibility: Eligibility, caller: Caller, stage: str) -> Agreement:
    """Two keepers, or the only one and somebody else; whoever is alone in the tenant suffices."""
    keepers, people = await eligibility.keepers(caller, KEEPER)
    if len(keepers) >= QUORUM:
        both = {"name": stage, "required": QUORUM, "approvers": {"roles": [KEEPER]}}
        return _agreement(both)
    others = sorted(set(people) - set(keepers))[:_MOST_NAMED]
    if not others:
        return one_keeper(stage)._replace(alone=True)
    return _agreement(
        {"name": stage, "required": 1, "approvers": {"roles": [KEEPER]}},
        {"name": "somebody else", "required": 1, "approvers": {"person_ids": others}},
    )


def _agreement(*stages: dict[str, Any]) -> Agreement:
    approvals = sum(stage["required"] for stage in stages)
    return Agreement(json.dumps({"stages": stages}), approvals, alone=False)
