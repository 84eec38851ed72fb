"""A person's answer: counted under the checkpoint's lock, and kept for good."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from chenu.identity.v1.eligibility_service_pb2 import Voter
from kernel.caller import Caller
from kernel.context import new_id
from kernel.database import Database, Transaction
from kernel.errors import EtagMismatch, Forbidden
from kernel.statement import Statement
from services.governance.eligibility import Eligibility
from services.governance.errors import NotEntitled, VoteTokenUsed
from services.governance.lifecycle import Option
from services.governance.transitions import Locked, Transitions

_USED: Final = Statement("SELECT true AS used FROM votes WHERE token_id = :token_id")
_CAST: Final = Statement(
    "INSERT INTO votes (vote_id, checkpoint_id, tenant, identity, revision, person,"
    " voter_identity, actor, option, view_digest, session, authentication, token_id)"
    " VALUES (:vote_id, :checkpoint_id, :tenant, :identity, :revision, :person, :voter_identity,"
    " :actor, :option, :view_digest, :session, :authentication, :token_id)"
)
_COMMENT: Final = Statement(
    "INSERT INTO comments (vote_id, tenant, identity, comment)"
    " VALUES (:vote_id, :tenant, :identity, :comment)"
)


class Votes:
    """Takes the votes of people who are entitled to them."""

    def __init__(
        self,
        database: Database,
        eligibility: Eligibility,
        transitions: Transitions,
        validity: timedelta,
    ) -> None:
        self._database, self._eligibility = database, eligibility
        self._transitions, self._validity = transitions, validity

    async def cast(
        self, caller: Caller, checkpoint_id: str, option: Option, etag: str, comment: str
    ) -> None:
        """Give one option to exactly what the etag stands for; raises unless it counted."""
        _check_token(caller, checkpoint_id, etag)
        # Before the lock: nobody holds a row while another service is asked.
        await self._check_entitled(caller)
        async with self._database.transaction(caller) as tx:
            locked = await self._transitions.lock(tx, checkpoint_id)
            if locked is None:
                raise Forbidden(subject=f"checkpoint/{checkpoint_id}")
            if await tx.fetch_one(_USED, token_id=caller.token_id):
                raise VoteTokenUsed
            after = locked.standing.vote(
                option, person=caller.person, etag=etag, now=locked.now, validity=self._validity
            )
            vote_id = await _insert(tx, caller, locked, option, comment)
            await self._transitions.move(
                tx, locked, after, comment, vote=vote_id, option=option.value
            )
        await self._transitions.announce([locked.row])

    async def _check_entitled(self, caller: Caller) -> None:
        voter = Voter(
            person_id=caller.person, identity_id=caller.identity, session_id=caller.session
        )
        (refusal,) = await self._eligibility.refusals(caller.tenant, caller.identity, [voter])
        if refusal:
            raise NotEntitled(cause=refusal)


def _check_token(caller: Caller, checkpoint_id: str, etag: str) -> None:
    """The token was bought for this checkpoint and this view, or it buys nothing here."""
    if caller.claims.get("checkpoint") != checkpoint_id:
        raise NotEntitled(cause="ANOTHER_CHECKPOINT", subject=f"checkpoint/{checkpoint_id}")
    if caller.claims.get("view_digest") != etag:
        raise EtagMismatch("the vote token was made for another view; look again")


async def _insert(
    tx: Transaction, caller: Caller, locked: Locked, option: Option, comment: str
) -> str:
    row, vote_id = locked.row, new_id()
    own = {"vote_id": vote_id, "tenant": row["tenant"], "identity": row["identity"]}
    authentication = caller.claims.get("amr", ())
    await tx.execute(
        _CAST,
        **own,
        checkpoint_id=row["checkpoint_id"],
        revision=row["revision"],
        person=caller.person,
        voter_identity=caller.identity,
        actor=caller.actor,
        option=option.value,
        view_digest=locked.standing.etag,
        session=caller.session,
        authentication=" ".join(map(str, authentication)),
        token_id=caller.token_id,
    )
    if comment:
        await tx.execute(_COMMENT, **own, comment=comment)
    return vote_id
