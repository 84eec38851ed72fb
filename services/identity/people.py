"""The people of a tenant: invited, given roles and deactivated by its owners."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from chenu.identity.v1.people_service_pb2 import (
    DeactivatePersonRequest,
    InvitePersonRequest,
    InvitePersonResponse,
    ListPeopleRequest,
    ListPeopleResponse,
    SetPersonRolesRequest,
    TenantPerson,
)
from kernel import idempotency
from kernel.caller import Caller
from kernel.context import new_id
from kernel.database import Database, Record, Transaction
from kernel.errors import Forbidden
from kernel.pagination import PageTokens, page_size
from kernel.statement import Statement
from services.identity import audit_events
from services.identity.errors import LastOwner, NotAnOwner
from services.identity.secret_tokens import digest, new_secret
from services.identity.session_secrets import SessionSecrets
from services.identity.sessions import Sessions

INVITATION_DAYS: Final = 7
_METHOD: Final = "InvitePerson"
_IS_OWNER: Final = Statement("SELECT is_owner() AS is_owner")
_INVITE: Final = Statement(
    "INSERT INTO invitations (invitation_id, tenant_id, inviter_id, roles, secret_hash,"
    " expire_time) VALUES (:invitation, :tenant, :person, :roles, :secret_hash,"
    " clock_timestamp() + :clock_offset + :life)"
)
_INVITED: Final = Statement("SELECT expire_time FROM invitations WHERE invitation_id = :invitation")
_PERSON: Final = Statement(
    "SELECT person_id, display_name, roles, create_time, deactivate_time FROM list_people()"
    " WHERE person_id = :person"
)
_LIST: Final = Statement(
    "SELECT person_id, display_name, roles, create_time, deactivate_time,"
    " lower(display_name) AS name FROM list_people()"
    " WHERE (lower(display_name), person_id) > (:name, :person)"
    " ORDER BY lower(display_name), person_id LIMIT :rows"
)
_CHANGE: Final = Statement("SELECT change_person(:person, :roles, :leaves) AS answer")
_BEFORE_ALL: Final = {"name": "", "person": "00000000-0000-0000-0000-000000000000"}
_REFUSALS: Final = {"NOT_AN_OWNER": NotAnOwner, "LAST_OWNER": LastOwner, "FORBIDDEN": Forbidden}


class People:
    """What owners do about the people of their tenant.

    Roles carry votes: with an access token alone nobody gives any, or takes them from others.
    """

    def __init__(
        self,
        database: Database,
        secrets: SessionSecrets,
        sessions: Sessions,
        pages: PageTokens,
        offset: timedelta,
    ) -> None:
        self._database, self._secrets, self._sessions = database, secrets, sessions
        self._pages, self._offset = pages, offset

    async def invite(self, caller: Caller, request: InvitePersonRequest) -> InvitePersonResponse:
        """An invitation, and its secret the first time that it is asked for."""
        await self._secrets.present(caller, request.session_secret)
        request.ClearField("session_secret")  # the same question from a later session is the same
        async with self._database.transaction(caller) as tx:
            await self._sessions.require(tx, caller)
            asked = await tx.fetch_one(_IS_OWNER)
            if asked is None or not asked["is_owner"]:
                raise NotAnOwner
            secret = ""
            invitation = await idempotency.claim(tx, caller, request.request_id, _METHOD, request)
            if invitation is None:
                invitation, secret = new_id(), new_secret("invitation")
                await tx.execute(
                    _INVITE, invitation=invitation, tenant=caller.tenant, person=caller.person,
                    roles=sorted(request.roles), secret_hash=digest(secret),
                    life=timedelta(days=INVITATION_DAYS), clock_offset=self._offset,
                )  # fmt: skip
                await idempotency.remember(tx, caller, request.request_id, invitation)
                tx.emit(audit_events.person_invited(caller, invitation, sorted(request.roles)))
            made = await tx.fetch_one(_INVITED, invitation=invitation)
        return InvitePersonResponse(
            invitation_id=invitation,
            invitation_secret=secret,
            expire_time=made["expire_time"] if made else None,
        )

    async def list(self, caller: Caller, request: ListPeopleRequest) -> ListPeopleResponse:
        """By name, those who have left too."""
        size = page_size(request.page_size)
        after = self._pages.decode(request.page_token, request) or _BEFORE_ALL
        async with self._database.transaction(caller) as tx:
            rows = await tx.fetch(_LIST, rows=size + 1, **after)
            tx.emit(audit_events.people_read(caller, min(len(rows), size)))
        page, token = self._pages.page(
            rows, size, request, lambda row: {"name": row["name"], "person": row["person_id"]}
        )
        return ListPeopleResponse(people=map(_message, page), next_page_token=token)

    async def set_roles(self, caller: Caller, request: SetPersonRolesRequest) -> TenantPerson:
        """The person with exactly these roles."""
        person, roles = request.person_id, list(request.roles)
        await self._secrets.present(caller, request.session_secret)
        async with self._database.transaction(caller) as tx:
            if await self._change(tx, caller, person, sorted(roles), leaves=False):
                tx.emit(audit_events.roles_set(caller, person, sorted(roles)))
            return await _find(tx, person)

    async def deactivate(self, caller: Caller, request: DeactivatePersonRequest) -> TenantPerson:
        """The person, who may do nothing any more."""
        person = request.person_id
        await self._secrets.present(caller, request.session_secret)
        async with self._database.transaction(caller) as tx:
            if await self._change(tx, caller, person, [], leaves=True):
                tx.emit(audit_events.person_deactivated(caller, person))
            return await _find(tx, person)

    async def _change(
        self, tx: Transaction, caller: Caller, person: str, roles: Sequence[str], *, leaves: bool
    ) -> bool:
        """Whether anything changed; raises what the database refuses."""
        await self._sessions.require(tx, caller)
        row = await tx.fetch_one(_CHANGE, person=person, roles=[*roles], leaves=leaves)
        answer = row["answer"] if row else "FORBIDDEN"
        if answer in _REFUSALS:
            raise _REFUSALS[answer](subject=f"user/{person}")
        return bool(answer == "CHANGED")


async def _find(tx: Transaction, person: str) -> TenantPerson:
    row = await tx.fetch_one(_PERSON, person=person)
    if row is None:
        raise Forbidden(subject=f"user/{person}")
    return _message(row)


def _message(row: Record) -> TenantPerson:
    return TenantPerson(
        person_id=row["person_id"],
        display_name=row["display_name"],
        roles=row["roles"],
        create_time=row["create_time"],
        deactivate_time=row["deactivate_time"],
    )
