"""Vote tokens: what the session secret buys, and nothing else does."""

from typing import Final

from chenu.identity.v1.token_service_pb2 import IssueVoteTokenRequest
from chenu_gate.view import batch_digest
from kernel.caller import Caller
from kernel.context import current
from kernel.database import Database, Transaction
from kernel.errors import Forbidden
from kernel.statement import Statement
from services.identity import audit_events
from services.identity.errors import SessionInvalid
from services.identity.identities import find_identity
from services.identity.secret_tokens import digest
from services.identity.sessions import Sessions
from services.identity.tokens import Issued, Tokens
from services.identity.users import person

# A person's client, or the gateway on its behalf. No service that works for an agent stands
# between a person and a vote.
_DOORS: Final = ("", "gateway")
_FIND: Final = Statement("SELECT * FROM find_session(:secret_hash)")


async def by_session(
    tx: Transaction, session_secret: str, identity_id: str
) -> tuple[Caller, list[str]]:
    """Whose session the secret is of, under which identity, and how they were authenticated.

    Whether the session still lives, and the identity is theirs, is asked as that person.
    """
    if current().caller.service not in _DOORS:
        raise Forbidden(subject=f"service/{current().caller.service}")
    found = await tx.fetch_one(_FIND, secret_hash=digest(session_secret))
    if found is None:
        raise SessionInvalid
    identity = identity_id or found["identity_id"]
    voter = person(found["tenant_id"], found["user_id"], identity, (), found["session_id"])
    return voter, list(found["amr"])


class VoteTokens:
    """Tokens for one vote on one view."""

    def __init__(self, database: Database, sessions: Sessions, tokens: Tokens) -> None:
        self._database, self._sessions, self._tokens = database, sessions, tokens

    async def issue(self, request: IssueVoteTokenRequest) -> Issued:
        """For the checkpoint and the view that the person saw."""
        async with self._database.transaction(current().caller) as tx:
            voter, amr = await by_session(tx, request.session_secret, request.identity_id)
        async with self._database.transaction(voter) as tx:
            voter = await self._sessions.require(tx, voter)
            await find_identity(tx, voter.identity)
            batch = batch_digest((one.checkpoint_id, one.view_digest) for one in request.ballots)
            issued = self._tokens.vote(
                voter, request.checkpoint_id, request.view_digest, amr,
                batch=batch if request.ballots else "",
            )  # fmt: skip
            tx.emit(
                audit_events.vote_token_issued(
                    voter,
                    request.checkpoint_id or "batch",
                    request.view_digest or batch,
                    issued.token_id,
                )
            )
        return issued
