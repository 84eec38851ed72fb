"""The service's own database roles in the hands of somebody without its code."""

from typing import Any
from uuid import uuid4

from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint
from tests.support.identity import Person


async def become(connection: Any, person: Person) -> None:
    """Have the connection act for the person's identity, as a transaction of the service would."""
    for name, value in (
        ("tenant", person.tenant),
        ("person", person.person),
        ("identity", person.identity),
    ):
        await connection.execute("SELECT set_config($1, $2, false)", f"chenu.{name}", value)


def insert_vote(
    voter: Person, checkpoint: BlockedCheckpoint, **changes: Any
) -> tuple[str, list[Any]]:
    """The statement that casts an approval, and its arguments; `changes` replace columns."""
    fields: dict[str, Any] = {
        "vote_id": str(uuid4()),
        "checkpoint_id": checkpoint.checkpoint_id,
        "tenant": voter.tenant,
        "identity": voter.identity,
        "revision": 1,
        "person": voter.person,
        "voter_identity": voter.identity,
        "actor": "human",
        "option": "approve",
        "view_digest": checkpoint.view_digest,
        "session": "",
        "authentication": "",
        "token_id": str(uuid4()),
        **changes,
    }
    numbers = ", ".join(f"${n}" for n in range(1, len(fields) + 1))
    return (
        f"INSERT INTO governance.votes ({', '.join(fields)}) VALUES ({numbers})",
        list(fields.values()),
    )
