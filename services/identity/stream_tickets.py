"""Tickets: what a browser opens one stream of events with, since it can send no token there."""

from typing import Final

from kernel.caller import Caller
from kernel.database import Database
from kernel.errors import Unauthenticated
from kernel.statement import Statement
from kernel.tokens import Claims, decode, unverified_header
from services.identity import audit_events
from services.identity.errors import TicketInvalid
from services.identity.sessions import Sessions
from services.identity.token_keys import TokenKeys
from services.identity.tokens import Issued, Tokens
from services.identity.users import person

_TYP: Final = "ticket+jwt"
_AUDIENCE: Final = "gateway"
# A ticket is an assertion of identity's own, and spent like any other.
_SPEND: Final = Statement(
    "SELECT spend_assertion('identity', :token_id, to_timestamp(:expire_time)) AS is_first"
)


class StreamTickets:
    """Their issue to people, and their one use by the gateway."""

    def __init__(
        self, database: Database, keys: TokenKeys, sessions: Sessions, tokens: Tokens
    ) -> None:
        self._database, self._keys = database, keys
        self._sessions, self._tokens = sessions, tokens

    async def issue(self, caller: Caller, path: str) -> Issued:
        """For the stream at this path, under the calling identity."""
        async with self._database.transaction(caller) as tx:
            caller = await self._sessions.require(tx, caller)
            issued = self._tokens.ticket(caller, path)
            tx.emit(audit_events.ticket_issued(caller, path, issued.token_id))
        return issued

    async def redeem(self, ticket: str, path: str) -> Issued:
        """An access token for who was given the ticket; TicketInvalid the second time."""
        claims = self._claims(ticket)
        caller = person(claims["tenant"], claims["sub"], claims["identity"], (), claims["sid"])
        if claims["path"] != path:
            raise TicketInvalid(subject=f"session/{caller.session}")
        async with self._database.transaction(caller) as tx:
            expires = int(claims["exp"])
            spent = await tx.fetch_one(_SPEND, token_id=claims["jti"], expire_time=expires)
            if spent is None or not spent["is_first"]:
                raise TicketInvalid(subject=f"session/{caller.session}")
            caller = await self._sessions.require(tx, caller)
            issued = self._tokens.access(caller)
            tx.emit(audit_events.ticket_redeemed(caller, path, claims["jti"]))
        return issued

    def _claims(self, ticket: str) -> Claims:
        try:
            header = unverified_header(ticket)
            key = self._keys.published().get(header["kid"])
            if header["typ"] != _TYP or key is None:
                raise TicketInvalid
            return decode(ticket, key, _AUDIENCE)
        except Unauthenticated:
            raise TicketInvalid from None
