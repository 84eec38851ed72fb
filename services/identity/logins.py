"""Logging in and out, and changing what one logs in with."""

from dataclasses import replace
from typing import Final

from chenu.identity.v1.auth_service_pb2 import ChangePasswordRequest, LoginRequest, Session
from kernel.caller import Caller
from kernel.context import current
from kernel.database import Database, Record
from kernel.statement import Statement
from services.identity import audit_events
from services.identity.attempts import Attempts, Purse
from services.identity.emails import email_key
from services.identity.errors import PasswordTooWeak, WrongCredentials
from services.identity.identities import find_identity
from services.identity.passwords import Passwords, is_strong
from services.identity.sessions import Sessions
from services.identity.tokens import Tokens
from services.identity.users import BY_PASSWORD, describe_session, person

_FIND_LOGIN: Final = Statement("SELECT * FROM find_login(:email_key)")
_FIND_PASSWORD: Final = Statement("SELECT password_hash FROM credentials WHERE user_id = :person")
# Its change then waits, and ends the session that is about to start.
_HOLD_PASSWORD: Final = Statement(
    "SELECT user_id FROM credentials WHERE user_id = :person AND password_hash = :old FOR SHARE"
)
_REPLACE_PASSWORD: Final = Statement(
    "UPDATE credentials SET password_hash = :new, update_time = clock_timestamp()"
    " WHERE user_id = :person AND password_hash = :old"
)


class Logins:
    """Where passwords are looked at."""

    def __init__(
        self, database: Database, sessions: Sessions, tokens: Tokens, passwords: Passwords,
        attempts: Attempts,
    ) -> None:  # fmt: skip
        self._database, self._sessions, self._tokens = database, sessions, tokens
        self._passwords, self._attempts = passwords, attempts

    async def log_in(self, request: LoginRequest) -> tuple[Session, str]:
        """A session and its secret. The steps are the same whether the e-mail is known or not."""
        key = email_key(request.email)
        purse = self._attempts.for_login(key)
        async with self._database.transaction(current().caller) as tx:
            refused = await self._attempts.take(tx, purse)
            found = await tx.fetch_one(_FIND_LOGIN, email_key=key)
        if refused:
            raise refused
        while await self._is_right(found, request.password) and found:
            begun = await self._start(request, found, purse)
            if begun:
                return begun
            async with self._database.transaction(current().caller) as tx:
                found = await tx.fetch_one(_FIND_LOGIN, email_key=key)
        await self._record_refusal(found, purse)
        raise WrongCredentials

    async def log_out(self, caller: Caller, *, all_sessions: bool) -> None:
        """End the caller's session, or all of the person's."""
        async with self._database.transaction(caller) as tx:
            await self._sessions.end(tx, caller, "logged_out")
            if all_sessions:
                await self._sessions.end_others(tx, caller, "logged_out")

    async def change_password(self, caller: Caller, request: ChangePasswordRequest) -> None:
        """A new password; whoever came in with the old one elsewhere is out."""
        if not is_strong(request.new_password):
            raise PasswordTooWeak
        purse = self._attempts.for_password_change(caller.person)
        async with self._database.transaction(caller) as tx:
            await self._sessions.require(tx, caller)
            refused = await self._attempts.take(tx, purse)
            found = await tx.fetch_one(_FIND_PASSWORD, person=caller.person)
        if refused:
            raise refused
        old = found["password_hash"] if found else None
        if not await self._passwords.verify(old, request.current_password):
            raise WrongCredentials
        new = await self._passwords.hash(request.new_password)
        async with self._database.transaction(caller) as tx:
            if not await tx.execute(_REPLACE_PASSWORD, person=caller.person, old=old, new=new):
                raise WrongCredentials  # changed by another call meanwhile
            tx.emit(audit_events.password_changed(caller))
            await self._sessions.end_others(tx, caller, "password_changed")
            await self._attempts.give_back(tx, purse)

    async def _is_right(self, found: Record | None, password: str) -> bool:
        return await self._passwords.verify(found["password_hash"] if found else None, password)

    async def _start(
        self, request: LoginRequest, found: Record, purse: Purse
    ) -> tuple[Session, str] | None:
        """None where the password was changed since it was looked at."""
        own, old = found["identity_id"], found["password_hash"]
        caller = person(found["tenant_id"], found["user_id"], own, tuple(found["roles"]))
        # Stronger parameters reach a stored password when it is seen the next time.
        outdated = self._passwords.is_outdated(old)
        new = await self._passwords.hash(request.password) if outdated else old
        async with self._database.transaction(caller) as tx:
            if request.identity_id and request.identity_id != own:
                await find_identity(tx, request.identity_id)
                caller = replace(caller, identity=request.identity_id)
            known = {"person": caller.person, "old": old}
            held = (
                await tx.execute(_REPLACE_PASSWORD, **known, new=new)
                if outdated
                else await tx.execute(_HOLD_PASSWORD, **known)
            )
            if not held:
                return None
            caller, secret, refresh = await self._sessions.start(tx, caller, [BY_PASSWORD])
            await self._attempts.give_back(tx, purse)
            return await describe_session(tx, self._tokens, caller, refresh), secret

    async def _record_refusal(self, found: Record | None, purse: Purse) -> None:
        """In the log of the person whose e-mail it was, so that they can see it."""
        whose = dict(found) if found else {}
        event = audit_events.login_refused(
            whose.get("tenant_id", ""), whose.get("identity_id", ""), whose.get("user_id", ""),
            purse.origin,
        )  # fmt: skip
        async with self._database.transaction(current().caller) as tx:
            tx.emit(event)
