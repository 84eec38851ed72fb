"""Ballots: what a channel's grant buys courier, and what a person's bringing it back buys."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from kernel.caller import Caller
from kernel.database import Database, Record, Transaction
from kernel.errors import Unauthenticated
from kernel.statement import Statement
from services.identity import audit_events
from services.identity.errors import BallotInvalid, ChannelGrantEnded, SessionInvalid
from services.identity.sessions import Sessions
from services.identity.settings import IdentitySettings
from services.identity.tokens import Issued, Tokens
from services.identity.users import person

_ALIVE: Final = "grant_id = :grant AND revoke_time IS NULL AND expire_time > clock_timestamp()"
_COUNT: Final = Statement(
    f"UPDATE channel_grants SET ballots = ballots + 1 WHERE {_ALIVE} + :clock_offset"  # noqa: S608
    " AND ballots < :most RETURNING grant_id, channel_id, method, expire_time"
)
_FIND: Final = Statement(
    f"SELECT grant_id, channel_id, method FROM channel_grants WHERE {_ALIVE} + :clock_offset"  # noqa: S608
)


class Ballots:
    """Issued to courier for a view, redeemed by the gateway for a vote token."""

    def __init__(
        self, database: Database, sessions: Sessions, tokens: Tokens, settings: IdentitySettings
    ) -> None:
        self._database, self._sessions, self._tokens = database, sessions, tokens
        self._offset, self._seconds = settings.clock_offset, int(settings.ballot_hours * 3600)
        self._most = settings.channel_grant_ballots

    async def issue(self, channel_grant: str, checkpoint_id: str, view_digest: str) -> Issued:
        """A ballot on this view, under a grant that still holds."""
        claims = self._tokens.read(channel_grant, "channel-grant+jwt", "identity", expired_too=True)
        bound = {"checkpoint": checkpoint_id, "view_digest": view_digest}
        async with self._database.transaction(_person(claims)) as tx:
            voter = await self._alive(tx, claims)
            grant = await tx.fetch_one(
                _COUNT, grant=claims["grant"], most=self._most, clock_offset=self._offset
            )
            if grant is None:
                raise ChannelGrantEnded
            left = grant["expire_time"] - datetime.now(UTC) - self._offset
            seconds = min(self._seconds, int(left.total_seconds()))
            issued = self._tokens.ballot(voter, claims["grant"], bound, seconds)
            tx.emit(audit_events.ballot_issued(voter, grant, bound, issued.token_id))
        return issued

    async def redeem(self, ballot: str) -> tuple[Issued, Mapping[str, Any]]:
        """The vote token of a ballot, and what the ballot is bound to."""
        try:
            claims = self._tokens.read(ballot, "ballot+jwt", "identity")
        except Unauthenticated:
            raise BallotInvalid from None
        async with self._database.transaction(_person(claims)) as tx:
            voter = await self._alive(tx, claims)
            grant = await self._granted(tx, claims["grant"])
            issued = self._tokens.vote(
                voter, claims["checkpoint"], claims["view_digest"], [grant["method"]],
                ballot=claims["jti"],
            )  # fmt: skip
            tx.emit(audit_events.ballot_redeemed(voter, grant, claims, issued.token_id))
        return issued, claims

    async def _alive(self, tx: Transaction, claims: Mapping[str, Any]) -> Caller:
        try:
            return await self._sessions.require(tx, _person(claims))
        except SessionInvalid:
            raise ChannelGrantEnded from None

    async def _granted(self, tx: Transaction, grant: str) -> Record:
        row = await tx.fetch_one(_FIND, grant=grant, clock_offset=self._offset)
        if row is None:
            raise ChannelGrantEnded
        return row


def _person(claims: Mapping[str, Any]) -> Caller:
    return person(claims["tenant"], claims["sub"], claims["identity"], (), claims["sid"])
