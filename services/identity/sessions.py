"""Sessions: what a log-in starts, and everything else that a person may do stands on.

A session ends when the person logs out, when its refresh token was stolen, when
the password was changed elsewhere, or when nobody refreshes it. A session that
ended stays so: a trigger sees to it.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from kernel.caller import Caller
from kernel.context import current, new_id
from kernel.database import Transaction
from kernel.statement import Statement
from services.identity import audit_events
from services.identity.attempts import origin_of
from services.identity.errors import SessionInvalid
from services.identity.personal import SubjectKeys
from services.identity.secret_tokens import digest, new_secret
from services.identity.settings import IdentitySettings

Cause = Literal["logged_out", "refresh_token_reused", "password_changed"]

_INSERT: Final = Statement(
    "INSERT INTO sessions (session_id, tenant_id, user_id, identity_id, secret_hash, amr,"
    " create_time, expire_time)"
    " SELECT :session, :tenant, :person, :identity, :secret_hash, :amr, now, now + :refresh"
    " FROM (SELECT clock_timestamp() + :clock_offset AS now) AS clock"
)
_PROLONG: Final = Statement(
    "UPDATE sessions SET expire_time ="
    " least(clock_timestamp() + :clock_offset + :refresh, create_time + :lifetime)"
    " WHERE session_id = :session RETURNING expire_time"
)
_INSERT_REFRESH_TOKEN: Final = Statement(
    "INSERT INTO refresh_tokens (token_hash, session_id, tenant_id, user_id, expire_time)"
    " VALUES (:token_hash, :session, :tenant, :person, :expire_time)"
)
_LOCK: Final = Statement("SELECT FROM sessions WHERE session_id = :session FOR UPDATE")
_HOLD: Final = Statement("SELECT hold_session(:held) AS alive")
_SWITCH: Final = Statement("UPDATE sessions SET identity_id = :to WHERE session_id = :session")
_ENDED: Final = (
    "UPDATE sessions SET end_time = clock_timestamp() + :clock_offset, end_cause = :cause"
    " WHERE end_time IS NULL AND user_id = :person"
)
_END: Final = Statement(f"{_ENDED} AND session_id = :session RETURNING session_id")
# One that ran out still bears its delegations for a while; of older ones nothing is left to end.
_END_OTHERS: Final = Statement(
    f"{_ENDED} AND session_id <> :session"
    " AND expire_time > statement_timestamp() + :clock_offset"
    " - CAST(:outlived AS interval) RETURNING session_id"
)


class RefreshToken(NamedTuple):
    """Shown to the client once."""

    token: str
    expire_time: datetime


class Sessions:
    """The rows of a person's sessions, in the transaction of whatever happens to them."""

    def __init__(self, settings: IdentitySettings, subject_keys: SubjectKeys) -> None:
        self.subject_keys = subject_keys
        self._offset = settings.clock_offset
        self._refresh = timedelta(days=settings.refresh_days)
        self._lifetime = timedelta(days=settings.session_days)
        self._outlived = settings.delegation_deadline

    async def start(
        self, tx: Transaction, caller: Caller, amr: list[str]
    ) -> tuple[Caller, str, RefreshToken]:
        """The caller within a new session, its secret, and its first refresh token."""
        caller, secret = replace(caller, session=new_id()), new_secret("session")
        await tx.execute(
            _INSERT, session=caller.session, tenant=caller.tenant, person=caller.person,
            identity=caller.identity, secret_hash=digest(secret), amr=amr,
            refresh=self._refresh, clock_offset=self._offset,
        )  # fmt: skip
        call = current()
        came_from = {"address": origin_of(call), "program": call.user_agent}
        personal = await self.subject_keys.seal(tx, caller, came_from)
        tx.emit(audit_events.session_started(caller, personal))
        return caller, secret, await self.prolong(tx, caller)

    async def prolong(self, tx: Transaction, caller: Caller) -> RefreshToken:
        """The next refresh token; the session now lives as long as it."""
        row = await tx.fetch_one(
            _PROLONG, session=caller.session, refresh=self._refresh, lifetime=self._lifetime,
            clock_offset=self._offset,
        )  # fmt: skip
        if row is None:
            raise SessionInvalid
        refresh = RefreshToken(new_secret("refresh"), row["expire_time"])
        await tx.execute(
            _INSERT_REFRESH_TOKEN, token_hash=digest(refresh.token), session=caller.session,
            tenant=caller.tenant, person=caller.person, expire_time=refresh.expire_time,
        )  # fmt: skip
        return refresh

    async def require(self, tx: Transaction, caller: Caller) -> Caller:
        """The caller with the roles of today; SessionInvalid once the session is over.

        An access token outlives its session by minutes, so what makes further
        credentials asks here first.
        """
        row = await tx.fetch_one(_HOLD, held=self.held(caller))
        if row is None or row["alive"] is None:
            raise SessionInvalid
        return replace(caller, roles=tuple(row["alive"]["roles"]))

    def held(self, caller: Caller) -> dict[str, str]:
        """What `hold_session` takes: it keeps the session from ending before the commit."""
        return {
            "session": caller.session,
            "clock_offset": f"{self._offset.total_seconds()} seconds",
        }

    async def lock(self, tx: Transaction, caller: Caller) -> None:
        """Before the session is required, where it is changed then: nobody else holds it."""
        await tx.execute(_LOCK, session=caller.session)

    async def switch(self, tx: Transaction, caller: Caller, to: str) -> None:
        """The session goes on under another identity."""
        await tx.execute(_SWITCH, session=caller.session, to=to)
        tx.emit(audit_events.session_switched(caller, to))

    async def end(self, tx: Transaction, caller: Caller, cause: Cause) -> None:
        """End the caller's session."""
        await self._end(tx, caller, cause, _END)

    async def end_others(self, tx: Transaction, caller: Caller, cause: Cause) -> None:
        """End the person's other sessions."""
        await self._end(tx, caller, cause, _END_OTHERS, outlived=self._outlived)

    async def _end(
        self, tx: Transaction, caller: Caller, cause: Cause, which: Statement, **more: timedelta
    ) -> None:
        ended = await tx.fetch(
            which, person=caller.person, session=caller.session, cause=cause,
            clock_offset=self._offset, **more,
        )  # fmt: skip
        for row in ended:
            tx.emit(audit_events.session_ended(caller, row["session_id"], cause))
