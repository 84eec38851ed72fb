"""For whom a person stands: themselves, and those whose deputy they are.

    await look(tx, caller)          # from now on the transaction sees what they may decide

Only a person at the other end is shown checkpoints of other identities. An agent, Nova and
every service see those of their own identity, whoever they act for.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from chenu.events.v1.method_policy_pb2 import CallerKind
from kernel.caller import Caller
from kernel.database import Transaction
from kernel.errors import Forbidden
from kernel.statement import Statement

_PEOPLE: Final = (CallerKind.CALLER_KIND_HUMAN, CallerKind.CALLER_KIND_VOTER)
_LOOK: Final = Statement("SELECT look(true, :roles, :offset) AS principals")


def only_bought_for(caller: Caller, checkpoint_id: str) -> None:
    """A vote token shows the checkpoint that it was bought for; Forbidden for any other."""
    voter = caller.kind == CallerKind.CALLER_KIND_VOTER
    if voter and caller.claims.get("checkpoint") != checkpoint_id:
        raise Forbidden(subject=f"checkpoint/{checkpoint_id}")


async def look(tx: Transaction, caller: Caller, offset: timedelta) -> None:
    """Let the transaction see what the caller may decide."""
    if is_person(caller):
        await tx.fetch_one(_LOOK, roles=sorted(caller.roles), offset=offset)


def eyes(caller: Caller, offset: timedelta) -> dict[str, Any]:
    """What a function needs to let its transaction see that, as the group before it did not."""
    return {
        "people": is_person(caller),
        "roles": sorted(caller.roles),
        "offset": f"{offset.total_seconds()} seconds",
    }


def is_person(caller: Caller) -> bool:
    """Whether there is a person at the other end, who may see checkpoints of other identities."""
    return caller.kind in _PEOPLE and caller.actor == "human"
