"""A person's answer: counted under the checkpoint's lock, and kept for good."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from chenu.governance.v1.approval_pb2 import RiskClass
from chenu_gate.canonical_json import digest
from kernel.caller import Caller
from kernel.context import new_id
from kernel.database import Database, Record, Transaction
from kernel.errors import EtagMismatch, Forbidden
from kernel.statement import Statement
from kernel.tokens import KeySet
from services.governance import audit_events
from services.governance.clock import Clock
from services.governance.errors import LoginRequired, NotEntitled, VoteTokenUsed
from services.governance.messages import RISKS
from services.governance.review import requirements
from services.governance.review.eligibility import Eligibility, Seat
from services.governance.review.lifecycle import Option, State
from services.governance.review.quorum import Ballot, Electorate, decides_from_afar
from services.governance.review.transitions import Locked, Transitions
from services.governance.review.voters import Principal, look

# What a token was used for: its option and comment.
_CAST_BY: Final = (
    "(SELECT jsonb_build_array(v.option, coalesce(w.comment, '')) FROM votes AS v"
    " LEFT JOIN comments AS w USING (vote_id) WHERE v.token_id = :token_id) AS cast_before"
)
_FIND: Final = Statement(
    "SELECT c.identity, c.approval, c.escalated, (SELECT jsonb_agg(jsonb_build_object("  # noqa: S608
    "'person', person, 'identity', voter_identity, 'stage', stage,"
    " 'seat', coalesce(seat, person), 'seat_identity', coalesce(seat_identity, voter_identity)))"
    " FROM votes WHERE votes.checkpoint_id = c.checkpoint_id AND votes.revision = c.revision"
    " AND view_digest = c.etag AND option = 'approve') AS approvers,"
    f" {_CAST_BY}"
    " FROM checkpoints AS c WHERE c.checkpoint_id = :checkpoint_id"
)
_RISK: Final = Statement(
    "SELECT coalesce(x.facts ->> 'risk', d.facts ->> 'risk', 'unspecified') AS risk"
    " FROM checkpoints AS c JOIN decisions AS d USING (decision_id) LEFT JOIN edits AS x"
    " ON x.checkpoint_id = c.checkpoint_id AND x.revision = c.revision"
    " WHERE c.checkpoint_id = :checkpoint_id"
)
_USED: Final = Statement(f"SELECT {_CAST_BY}")
_CAST: Final = Statement(
    "INSERT INTO votes (vote_id, checkpoint_id, tenant, identity, revision, person,"
    " voter_identity, actor, option, view_digest, session, authentication, token_id, stage,"
    " seat, seat_identity, token, token_key)"
    " VALUES (:vote_id, :checkpoint_id, :tenant, :identity, :revision, :person, :voter_identity,"
    " :actor, :option, :view_digest, :session, :authentication, :token_id, :stage,"
    " CAST(:seat AS uuid), CAST(:seat_identity AS uuid), :token, :token_key)"
)
_COMMENT: Final = Statement(
    "INSERT INTO comments (vote_id, tenant, identity, comment)"
    " VALUES (:vote_id, :tenant, :identity, :comment)"
)


_REMOTE: Final = frozenset({"mail", "chat"})
"""How somebody was authenticated who did not log in."""


class Votes:
    """Takes the votes of people who are entitled to them."""

    def __init__(
        self,
        database: Database,
        eligibility: Eligibility,
        transitions: Transitions,
        clock: Clock,
        keys: KeySet,
    ) -> None:
        self._database, self._eligibility, self._keys = database, eligibility, keys
        self._transitions, self._clock = transitions, clock

    async def cast(
        self, caller: Caller, checkpoint_id: str, option: Option, etag: str, comment: str
    ) -> None:
        """Give one option to exactly what the etag stands for; raises unless it counted.

        The same vote by the same token again changes nothing.
        """
        _check_token(caller, checkpoint_id, etag)
        row, principals = await self._find(caller, checkpoint_id)
        if _was_cast(row, option, comment):
            return
        # Before the lock: nobody holds a row while another service is asked.
        electorate = await self._electorate(caller, row, principals)
        async with self._database.transaction(caller) as tx:
            principals = await look(tx, caller, self._clock.offset)
            locked = await self._transitions.lock(tx, checkpoint_id)
            if locked is None:
                raise Forbidden(subject=f"checkpoint/{checkpoint_id}")
            used: Any = await tx.fetch_one(_USED, token_id=caller.token_id)
            if _was_cast(used, option, comment):
                return
            await _check_means(tx, caller, locked)
            after, ballot = locked.standing.vote(option, electorate, etag=etag, now=locked.now)
            seat = next((one for one in principals if one.person == ballot.seat), None)
            token_key = self._keys.signer(caller.token)
            vote_id = await _insert(tx, caller, locked, option, ballot, seat, token_key=token_key)
            if comment:
                own = {name: locked.row[name] for name in ("tenant", "identity")}
                await tx.execute(_COMMENT, vote_id=vote_id, **own, comment=comment)
            await self._transitions.move(
                tx,
                locked,
                after,
                comment,
                vote=vote_id,
                option=option.value,
                token=digest(caller.token.encode()),
                stage=str(ballot.stage),
                seat=seat.person if seat else "",
            )
            if after.state is not State.PENDING:
                tx.emit(audit_events.vote_cast(locked.row, vote_id, option.value))
        await self._transitions.announce([locked.row])

    async def electorate(self, caller: Caller, checkpoint_id: str) -> Electorate:
        """The caller as a voter on the checkpoint, by identity's word of this moment."""
        return await self._electorate(caller, *await self._find(caller, checkpoint_id))

    async def _find(self, caller: Caller, checkpoint_id: str) -> tuple[Record, list[Principal]]:
        """The checkpoint with its votes, and in whose place the caller may stand."""
        async with self._database.transaction(caller) as tx:
            principals = await look(tx, caller, self._clock.offset)
            row = await tx.fetch_one(_FIND, checkpoint_id=checkpoint_id, token_id=caller.token_id)
        if row is None:
            raise Forbidden(subject=f"checkpoint/{checkpoint_id}")
        return row, principals

    async def _electorate(
        self, caller: Caller, row: Record, principals: Sequence[Principal]
    ) -> Electorate:
        approvers = row["approvers"] or []
        seats = [
            Seat(caller.person, caller.identity, caller.session),
            *(Seat(one.person, one.identity) for one in principals),
            *(Seat(one["person"], one["identity"]) for one in approvers),
            *(Seat(one["seat"], one["seat_identity"]) for one in approvers),
        ]
        alive, refusals = await self._eligibility.alive(caller.tenant, row["identity"], seats)
        if refusals[0]:
            raise NotEntitled(cause=refusals[0])
        return Electorate(
            voter=alive[caller.person],
            stands_for=tuple(alive[one.person] for one in principals if one.person in alive),
            void=Eligibility.void(
                requirements.read(row["approval"]), approvers, alive, row["escalated"]
            ),
        )


def _check_token(caller: Caller, checkpoint_id: str, etag: str) -> None:
    """The token was bought for this checkpoint and this view, or it buys nothing here."""
    if caller.claims.get("checkpoint") != checkpoint_id:
        raise NotEntitled(cause="ANOTHER_CHECKPOINT", subject=f"checkpoint/{checkpoint_id}")
    if caller.claims.get("view_digest") != etag:
        raise EtagMismatch("the vote token was made for another view; look again")


def _was_cast(row: Record, option: Option, comment: str) -> bool:
    """Whether the token has cast this very vote; VoteTokenUsed where it has cast another."""
    if row["cast_before"] is None:
        return False
    if row["cast_before"] != [option.value, comment]:
        raise VoteTokenUsed
    return True


async def _check_means(tx: Transaction, caller: Caller, locked: Locked) -> None:
    """What came from a mail or a chat counts up to the class that the requirement names."""
    if not _REMOTE.intersection(caller.claims.get("amr", ())):
        return
    row: Any = await tx.fetch_one(_RISK, checkpoint_id=locked.row["checkpoint_id"])
    requirement = locked.standing.requirement
    if not decides_from_afar(requirement, RISKS[row["risk"]]):
        most = RiskClass.Name(requirement.remote_risk_class)
        raise LoginRequired(risk=row["risk"], remote_risk_class=most)


async def _insert(
    tx: Transaction,
    caller: Caller,
    locked: Locked,
    option: Option,
    ballot: Ballot,
    seat: Principal | None,
    *,
    token_key: str,
) -> str:
    row, vote_id = locked.row, new_id()
    authentication = caller.claims.get("amr", ())
    await tx.execute(
        _CAST,
        vote_id=vote_id,
        tenant=row["tenant"],
        identity=row["identity"],
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
        stage=ballot.stage,
        seat=seat.person if seat else None,
        seat_identity=seat.identity if seat else None,
        token=caller.token,
        token_key=token_key,
    )
    return vote_id
