"""Refresh tokens: good once; the second use of one shows that somebody holds a copy."""

from typing import Final

from chenu.identity.v1.auth_service_pb2 import Session
from kernel.caller import Caller
from kernel.context import current
from kernel.database import Database, Transaction
from kernel.statement import Statement
from services.identity import audit_events
from services.identity.errors import RefreshTokenInvalid, RefreshTokenReused
from services.identity.secret_tokens import digest
from services.identity.sessions import Sessions
from services.identity.settings import IdentitySettings
from services.identity.tokens import Tokens
from services.identity.users import describe_session, person

_FIND: Final = Statement("SELECT * FROM find_refresh_token(:token_hash)")
# The last token of a session ends with it, and every other one was used: its own time, which the
# sweeper goes by, need not be asked.
_READ: Final = Statement(
    "SELECT t.use_time IS NOT NULL AS used,"
    " s.end_time IS NULL AND u.deactivate_time IS NULL"
    " AND s.expire_time > clock_timestamp() + :clock_offset AS session_alive"
    " FROM refresh_tokens AS t JOIN sessions AS s USING (session_id)"
    " JOIN users AS u ON u.user_id = s.user_id WHERE t.token_hash = :token_hash"
)
_USE: Final = Statement(
    "UPDATE refresh_tokens SET use_time = clock_timestamp() + :clock_offset"
    " WHERE token_hash = :token_hash"
)


class RefreshTokens:
    """The exchange of one refresh token for the next."""

    def __init__(
        self, database: Database, sessions: Sessions, tokens: Tokens, settings: IdentitySettings
    ) -> None:
        self._database, self._sessions = database, sessions
        self._tokens, self._offset = tokens, settings.clock_offset

    async def exchange(self, token: str) -> Session:
        """The next pair, under the session's present identity."""
        token_hash = digest(token)
        async with self._database.transaction(current().caller) as tx:
            found = await tx.fetch_one(_FIND, token_hash=token_hash)
        if found is None:
            raise RefreshTokenInvalid
        caller = person(
            found["tenant_id"], found["user_id"], found["identity_id"], tuple(found["roles"]),
            found["session_id"],
        )  # fmt: skip
        async with self._database.transaction(caller) as tx:
            session = await self._exchange(tx, caller, token_hash)
        if session is None:
            raise RefreshTokenReused
        return session

    async def _exchange(self, tx: Transaction, caller: Caller, token_hash: bytes) -> Session | None:
        """None when it was used before: the session is over then, and that must commit."""
        # Two exchanges at once take turns here: the second finds the token used.
        await self._sessions.lock(tx, caller)
        row = await tx.fetch_one(_READ, token_hash=token_hash, clock_offset=self._offset)
        if row is None or not row["session_alive"]:
            raise RefreshTokenInvalid
        if row["used"]:
            await self._sessions.end(tx, caller, "refresh_token_reused")
            return None
        await tx.execute(_USE, token_hash=token_hash, clock_offset=self._offset)
        refresh = await self._sessions.prolong(tx, caller)
        tx.emit(audit_events.session_refreshed(caller))
        return await describe_session(tx, self._tokens, caller, refresh)
