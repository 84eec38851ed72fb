"""The capacities in which a person acts."""

from dataclasses import replace
from typing import Final

from chenu.identity.v1.auth_service_pb2 import SwitchIdentityResponse
from chenu.identity.v1.identity_pb2 import Identity, IdentityType
from chenu.identity.v1.identity_service_pb2 import (
    CreateIdentityRequest,
    ListIdentitiesRequest,
    ListIdentitiesResponse,
)
from kernel import idempotency
from kernel.caller import Caller
from kernel.context import new_id
from kernel.database import Database, Record, Transaction
from kernel.errors import Forbidden
from kernel.pagination import PageTokens, page_size
from kernel.statement import Statement
from services.identity import audit_events
from services.identity.sessions import Sessions
from services.identity.tokens import Tokens

_METHOD: Final = "CreateIdentity"
_INSERT: Final = Statement(
    "INSERT INTO identities (identity_id, tenant_id, user_id, type, display_name, is_default)"
    " VALUES (:identity, :tenant, :person, :type, :display_name, :is_default)"
)
_FIND: Final = Statement(
    "SELECT identity_id, type, display_name, is_default, create_time FROM identities"
    " WHERE identity_id = :identity"
)
_LIST: Final = Statement(
    "SELECT identity_id, type, display_name, is_default, create_time,"
    " lower(display_name) AS name FROM identities WHERE user_id = :person"
    " AND (identity_id = :own OR NOT CAST(:own_only AS boolean))"
    " AND (lower(display_name), identity_id) > (:name, :identity)"
    " ORDER BY lower(display_name), identity_id LIMIT :rows"
)
_BEFORE_ALL: Final = {"name": "", "identity": "00000000-0000-0000-0000-000000000000"}


async def add_identity(
    tx: Transaction, caller: Caller, kind: IdentityType, name: str, *, is_default: bool
) -> str:
    """Another identity of the caller's; its id."""
    word = IdentityType.Name(kind).removeprefix("IDENTITY_TYPE_")
    # The first identity of a person is the one they register under.
    identity = caller.identity if is_default else new_id()
    await tx.execute(
        _INSERT, identity=identity, tenant=caller.tenant, person=caller.person, type=word,
        display_name=name, is_default=is_default,
    )  # fmt: skip
    tx.emit(audit_events.identity_created(caller, identity, word))
    return identity


async def find_identity(tx: Transaction, identity_id: str) -> Identity:
    """One of the caller's identities; Forbidden for any other id."""
    row = await tx.fetch_one(_FIND, identity=identity_id)
    if row is None:
        raise Forbidden(subject=f"identity/{identity_id}")
    return _message(row)


class Identities:
    """What a person does with their identities."""

    def __init__(
        self, database: Database, sessions: Sessions, tokens: Tokens, pages: PageTokens
    ) -> None:
        self._database, self._sessions = database, sessions
        self._tokens, self._pages = tokens, pages

    async def create(self, caller: Caller, request: CreateIdentityRequest) -> Identity:
        """A further identity; asked again with the same request id, the one made before."""
        async with self._database.transaction(caller) as tx:
            await self._sessions.require(tx, caller)
            identity = await idempotency.claim(tx, caller, request.request_id, _METHOD, request)
            if identity is None:
                identity = await add_identity(
                    tx, caller, request.type, request.display_name, is_default=False
                )
                await idempotency.remember(tx, caller, request.request_id, identity)
            return await find_identity(tx, identity)

    async def list(self, caller: Caller, request: ListIdentitiesRequest) -> ListIdentitiesResponse:
        """By name; an agent sees no other than the one that it acts for."""
        size = page_size(request.page_size)
        after = self._pages.decode(request.page_token, request) or _BEFORE_ALL
        async with self._database.transaction(caller) as tx:
            rows = await tx.fetch(
                _LIST, person=caller.person, own=caller.identity, own_only=bool(caller.agent),
                rows=size + 1, **after,
            )  # fmt: skip
        page, token = self._pages.page(
            rows, size, request, lambda row: {"name": row["name"], "identity": row["identity_id"]}
        )
        return ListIdentitiesResponse(identities=map(_message, page), next_page_token=token)

    async def switch(self, caller: Caller, identity_id: str) -> SwitchIdentityResponse:
        """An access token for another of the person's identities, in the same session."""
        async with self._database.transaction(caller) as tx:
            await self._sessions.lock(tx, caller)
            alive = await self._sessions.require(tx, caller)
            identity = await find_identity(tx, identity_id)
            await self._sessions.switch(tx, caller, identity_id)
        access = self._tokens.access(replace(alive, identity=identity_id))
        return SwitchIdentityResponse(
            access_token=access.token, access_expire_time=access.expire_time, identity=identity
        )


def _message(row: Record) -> Identity:
    return Identity(
        identity_id=row["identity_id"],
        type=f"IDENTITY_TYPE_{row['type']}",
        display_name=row["display_name"],
        is_default=row["is_default"],
        create_time=row["create_time"],
    )
