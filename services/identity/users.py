"""People's accounts: registering, and what the person sees of their own."""

from datetime import timedelta
from typing import Final

import asyncpg

from chenu.identity.v1.auth_service_pb2 import GetMeResponse, RegisterRequest, Session
from chenu.identity.v1.identity_pb2 import IdentityType, User
from kernel.caller import Caller
from kernel.context import current, new_id
from kernel.database import Database, Record, Transaction
from kernel.errors import Forbidden
from kernel.statement import Statement
from services.identity import audit_events
from services.identity.attempts import Attempts
from services.identity.emails import email_key
from services.identity.errors import EmailTaken, InvitationInvalid, PasswordTooWeak
from services.identity.identities import add_identity, find_identity
from services.identity.passwords import Passwords, is_strong
from services.identity.secret_tokens import digest
from services.identity.sessions import RefreshToken, Sessions
from services.identity.tokens import Tokens

BY_PASSWORD: Final = "pwd"  # noqa: S105 - RFC 8176's word for how somebody was authenticated
FOUNDER_ROLES: Final = ("owner", "auditor")

_INSERT_TENANT: Final = Statement(
    "INSERT INTO tenants (tenant_id, founder_id) VALUES (:tenant, :person)"
)
_INSERT_USER: Final = Statement(
    "INSERT INTO users (user_id, tenant_id, roles) VALUES (:person, :tenant, :roles)"
)
_INSERT_PROFILE: Final = Statement(
    "INSERT INTO user_profiles (user_id, tenant_id, email, email_key, display_name)"
    " VALUES (:person, :tenant, :email, :email_key, :display_name)"
)
_INSERT_CREDENTIAL: Final = Statement(
    "INSERT INTO credentials (user_id, tenant_id, password_hash)"
    " VALUES (:person, :tenant, :password_hash)"
)
_FIND_INVITATION: Final = Statement(
    "SELECT tenant_id, roles FROM find_invitation(:secret_hash, :clock_offset)"
)
_ACCEPT_INVITATION: Final = Statement(
    "SELECT accept_invitation(:secret_hash, :clock_offset) AS invitation_id"
)
_FIND: Final = Statement(
    "SELECT u.user_id, u.tenant_id, u.create_time, p.email, p.display_name"
    " FROM users AS u JOIN user_profiles AS p USING (user_id) WHERE u.user_id = :person"
)


async def find_user(tx: Transaction, caller: Caller) -> User:
    """The caller's own account."""
    row = await tx.fetch_one(_FIND, person=caller.person)
    if row is None:
        raise Forbidden(subject=f"user/{caller.person}")
    return User(**row)


async def describe_session(
    tx: Transaction, tokens: Tokens, caller: Caller, refresh: RefreshToken
) -> Session:
    """What a log-in, a registration and a refresh answer alike."""
    access = tokens.access(caller)
    return Session(
        access_token=access.token,
        access_expire_time=access.expire_time,
        refresh_token=refresh.token,
        refresh_expire_time=refresh.expire_time,
        user=await find_user(tx, caller),
        identity=await find_identity(tx, caller.identity),
    )


def person(
    tenant: str, user: str, identity: str, roles: tuple[str, ...], session: str = ""
) -> Caller:
    """Somebody whom a public RPC turned out to come from."""
    return Caller(
        tenant=tenant, person=user, identity=identity, actor="human", roles=roles,
        session=session, service=current().caller.service,
    )  # fmt: skip


class Users:
    """Accounts of people."""

    def __init__(
        self, database: Database, sessions: Sessions, tokens: Tokens, passwords: Passwords,
        attempts: Attempts, offset: timedelta,
    ) -> None:  # fmt: skip
        self._database, self._sessions, self._tokens = database, sessions, tokens
        self._passwords, self._attempts, self._offset = passwords, attempts, offset

    async def register(self, request: RegisterRequest) -> tuple[Session, str]:
        """A person and their default identity; a session of it and its secret.

        They found a tenant, or join the one that they were invited to.
        """
        if not is_strong(request.password):
            raise PasswordTooWeak
        async with self._database.transaction(current().caller) as tx:
            refused = await self._attempts.take(tx, self._attempts.for_registration())
            invited = await self._invited(tx, request.invitation_secret)
        if refused:
            raise refused
        if request.invitation_secret and invited is None:
            raise InvitationInvalid
        password_hash = await self._passwords.hash(request.password)
        newcomer = (
            person(invited["tenant_id"], new_id(), new_id(), tuple(invited["roles"]))
            if invited
            else person(new_id(), new_id(), new_id(), FOUNDER_ROLES)
        )
        async with self._database.transaction(newcomer) as tx:
            await self._insert(tx, newcomer, request, password_hash)
            newcomer, secret, refresh = await self._sessions.start(tx, newcomer, [BY_PASSWORD])
            session = await describe_session(tx, self._tokens, newcomer, refresh)
        return session, secret

    async def _invited(self, tx: Transaction, invitation_secret: str) -> Record | None:
        if not invitation_secret:
            return None
        return await tx.fetch_one(
            _FIND_INVITATION, secret_hash=digest(invitation_secret), clock_offset=self._offset
        )

    async def get_me(self, caller: Caller) -> GetMeResponse:
        """The person and identity that the calling token stands for."""
        async with self._database.transaction(caller) as tx:
            return GetMeResponse(
                user=await find_user(tx, caller),
                identity=await find_identity(tx, caller.identity),
            )

    async def _insert(
        self, tx: Transaction, newcomer: Caller, request: RegisterRequest, password_hash: str
    ) -> None:
        own = {"person": newcomer.person, "tenant": newcomer.tenant}
        if not request.invitation_secret:
            await tx.execute(_INSERT_TENANT, **own)
            tx.emit(audit_events.tenant_created(newcomer))
        else:
            accepted = await tx.fetch_one(
                _ACCEPT_INVITATION, secret_hash=digest(request.invitation_secret),
                clock_offset=self._offset,
            )  # fmt: skip
            if accepted is None or accepted["invitation_id"] is None:
                raise InvitationInvalid
            tx.emit(audit_events.person_joined(newcomer, accepted["invitation_id"]))
        await tx.execute(_INSERT_USER, **own, roles=list(newcomer.roles))
        try:
            await tx.execute(
                _INSERT_PROFILE, **own, email=request.email, email_key=email_key(request.email),
                display_name=request.display_name,
            )  # fmt: skip
        except asyncpg.UniqueViolationError:
            raise EmailTaken from None
        await tx.execute(_INSERT_CREDENTIAL, **own, password_hash=password_hash)
        personal = await self._sessions.subject_keys.seal(tx, newcomer, {"email": request.email})
        tx.emit(audit_events.user_registered(newcomer, personal))
        await add_identity(
            tx, newcomer, IdentityType.IDENTITY_TYPE_PERSONAL, request.display_name, is_default=True
        )
