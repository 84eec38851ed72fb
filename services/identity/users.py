"""People's accounts: registering, and what the person sees of their own."""

from typing import Final

import asyncpg

from chenu.identity.v1.auth_service_pb2 import GetMeResponse, RegisterRequest, Session
from chenu.identity.v1.identity_pb2 import IdentityType, User
from kernel.caller import Caller
from kernel.context import current, new_id
from kernel.database import Database, Transaction
from kernel.errors import Forbidden
from kernel.statement import Statement
from services.identity import audit_events
from services.identity.attempts import Attempts
from services.identity.emails import email_key
from services.identity.errors import EmailTaken, PasswordTooWeak
from services.identity.identities import add_identity, find_identity
from services.identity.passwords import Passwords, is_strong
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
        attempts: Attempts,
    ) -> None:  # fmt: skip
        self._database, self._sessions, self._tokens = database, sessions, tokens
        self._passwords, self._attempts = passwords, attempts

    async def register(self, request: RegisterRequest) -> tuple[Session, str]:
        """A tenant, its founder and their default identity; a session of it and its secret."""
        if not is_strong(request.password):
            raise PasswordTooWeak
        async with self._database.transaction(current().caller) as tx:
            refused = await self._attempts.take(tx, self._attempts.for_registration())
        if refused:
            raise refused
        password_hash = await self._passwords.hash(request.password)
        founder = person(new_id(), new_id(), new_id(), FOUNDER_ROLES)
        async with self._database.transaction(founder) as tx:
            await self._insert(tx, founder, request, password_hash)
            founder, secret, refresh = await self._sessions.start(tx, founder, [BY_PASSWORD])
            session = await describe_session(tx, self._tokens, founder, refresh)
        return session, secret

    async def get_me(self, caller: Caller) -> GetMeResponse:
        """The person and identity that the calling token stands for."""
        async with self._database.transaction(caller) as tx:
            return GetMeResponse(
                user=await find_user(tx, caller),
                identity=await find_identity(tx, caller.identity),
            )

    async def _insert(
        self, tx: Transaction, founder: Caller, request: RegisterRequest, password_hash: str
    ) -> None:
        own = {"person": founder.person, "tenant": founder.tenant}
        await tx.execute(_INSERT_TENANT, **own)
        await tx.execute(_INSERT_USER, **own, roles=list(founder.roles))
        try:
            await tx.execute(
                _INSERT_PROFILE, **own, email=request.email, email_key=email_key(request.email),
                display_name=request.display_name,
            )  # fmt: skip
        except asyncpg.UniqueViolationError:
            raise EmailTaken from None
        await tx.execute(_INSERT_CREDENTIAL, **own, password_hash=password_hash)
        tx.emit(audit_events.tenant_created(founder))
        tx.emit(audit_events.user_registered(founder))
        await add_identity(
            tx, founder, IdentityType.IDENTITY_TYPE_PERSONAL, request.display_name, is_default=True
        )
