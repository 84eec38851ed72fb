"""For whom a person stands: themselves, and those whose deputy they are.

    await look(tx, caller)          # from now on the transaction sees what they may decide

Only a person at the other end is shown checkpoints of other identities. An agent, Nova and
every service see those of their own identity, whoever they act for.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from chenu.events.v1.method_policy_pb2 import CallerKind
from kernel.caller import Caller
from kernel.database import Transaction
from kernel.errors import Forbidden
from kernel.statement import Statement
from services.governance.review.gate import owner_word

_PEOPLE: Final = (CallerKind.CALLER_KIND_HUMAN, CallerKind.CALLER_KIND_VOTER)
_STANDS_FOR: Final = Statement(
    "SELECT person, identity, roles FROM deputies WHERE deputy = :person"
    " AND dismiss_time IS NULL AND end_time > clock_timestamp() + CAST(:offset AS interval)"
    " ORDER BY person, create_time"
)
_LOOK: Final = Statement(
    "SELECT set_config('chenu.voters', CAST(CAST(:voters AS uuid[]) AS text), true),"
    " set_config('chenu.voter_roles', CAST(CAST(:roles AS text[]) AS text), true)"
)


class Principal(NamedTuple):
    """Somebody whose seat a person may take."""

    person: str
    identity: str


def only_bought_for(caller: Caller, checkpoint_id: str) -> None:
    """A vote token shows the checkpoint that it was bought for; Forbidden for any other."""
    voter = caller.kind == CallerKind.CALLER_KIND_VOTER
    if voter and caller.claims.get("checkpoint") != checkpoint_id:
        raise Forbidden(subject=f"checkpoint/{checkpoint_id}")


async def look(tx: Transaction, caller: Caller, offset: Any) -> list[Principal]:
    """Let the transaction see what the caller may decide; those whose deputy the caller is."""
    if caller.kind not in _PEOPLE or caller.actor != "human":
        return []
    rows = await tx.fetch(_STANDS_FOR, person=caller.person, offset=offset)
    roles = {*caller.roles, *(role for row in rows for role in row["roles"])}
    roles |= {owner_word(row["person"]) for row in rows}
    voters = sorted({caller.person, *(row["person"] for row in rows)})
    await tx.execute(_LOOK, voters=voters, roles=sorted(roles))
    return [Principal(row["person"], row["identity"]) for row in rows]
