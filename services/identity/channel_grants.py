"""Channel grants: which of a person's channels may be sent ballots, for how long."""

from datetime import datetime, timedelta
from typing import Final

from chenu.identity.v1.channel_grant_pb2 import ChannelGrant, ChannelMethod
from chenu.identity.v1.channel_grant_service_pb2 import (
    IssueChannelGrantRequest,
    IssueChannelGrantResponse,
    ListChannelGrantsRequest,
    ListChannelGrantsResponse,
)
from kernel.caller import Caller
from kernel.context import new_id
from kernel.database import Database, Record, Transaction
from kernel.pagination import PageTokens, page_size
from kernel.statement import Statement
from services.identity import audit_events
from services.identity.session_secrets import SessionSecrets
from services.identity.sessions import Sessions
from services.identity.settings import IdentitySettings
from services.identity.tokens import Tokens

_PREFIX: Final = "CHANNEL_METHOD_"
_INSERT: Final = Statement(
    "INSERT INTO channel_grants (grant_id, tenant_id, user_id, identity_id, session_id,"
    " channel_id, method, create_time, expire_time) SELECT :grant, :tenant, :person, :identity,"
    " :session, :channel, :method, now, now + :life"
    " FROM (SELECT clock_timestamp() + :clock_offset AS now) AS clock RETURNING *"
)
# Two issued at once would not see each other, and both be good.
_ALONE: Final = Statement("SELECT pg_advisory_xact_lock(hashtextextended(:channel, 0))")
_REVOKE: Final = Statement(
    "UPDATE channel_grants SET revoke_time = clock_timestamp() + :clock_offset"
    " WHERE channel_id = :channel AND revoke_time IS NULL RETURNING grant_id, channel_id"
)
_LIST: Final = Statement(
    "SELECT * FROM channel_grants WHERE (create_time, grant_id) < (:before_time, :before_id)"
    " ORDER BY create_time DESC, grant_id DESC LIMIT :rows"
)


class ChannelGrants:
    """A person's grants, under one identity."""

    def __init__(
        self, database: Database, secrets: SessionSecrets, sessions: Sessions, tokens: Tokens,
        pages: PageTokens, settings: IdentitySettings,
    ) -> None:  # fmt: skip
        self._database, self._secrets = database, secrets
        self._sessions, self._tokens = sessions, tokens
        self._pages, self._offset = pages, settings.clock_offset
        self._life = timedelta(days=settings.channel_grant_days)

    async def issue(self, request: IssueChannelGrantRequest) -> IssueChannelGrantResponse:
        """A grant in the place of the channel's earlier one."""
        person, _ = await self._secrets.holder(request.session_secret, request.identity_id)
        method = ChannelMethod.Name(request.method).removeprefix(_PREFIX).lower()
        async with self._database.transaction(person) as tx:
            person = await self._sessions.require(tx, person)
            await tx.execute(_ALONE, channel=request.channel_id)
            await self._end(tx, person, request.channel_id)
            (row,) = await tx.fetch(
                _INSERT, grant=new_id(), tenant=person.tenant, person=person.person,
                identity=person.identity, session=person.session, channel=request.channel_id,
                method=method, life=self._life, clock_offset=self._offset,
            )  # fmt: skip
            issued = self._tokens.channel_grant(
                person, row["grant_id"], request.channel_id, self._life
            )
            tx.emit(
                audit_events.channel_grant_issued(
                    person, row["grant_id"], request.channel_id, method, issued.token_id
                )
            )
        return IssueChannelGrantResponse(channel_grant=issued.token, grant=_message(row))

    async def revoke(self, caller: Caller, channel_id: str) -> None:
        """The channel's grant is worth nothing from now on."""
        async with self._database.transaction(caller) as tx:
            await self._end(tx, caller, channel_id)

    async def list(
        self, caller: Caller, request: ListChannelGrantsRequest
    ) -> ListChannelGrantsResponse:
        """The latest first, those that ended too."""
        size, place = page_size(request.page_size), self._pages.before(request)
        async with self._database.transaction(caller) as tx:
            rows = await tx.fetch(_LIST, rows=size + 1, **place)
        page, token = self._pages.by_time(rows, size, request, "create_time", "grant_id")
        return ListChannelGrantsResponse(grants=map(_message, page), next_page_token=token)

    async def _end(self, tx: Transaction, caller: Caller, channel_id: str) -> None:
        for row in await tx.fetch(_REVOKE, channel=channel_id, clock_offset=self._offset):
            tx.emit(audit_events.channel_grant_revoked(caller, row["grant_id"], channel_id))


def _message(row: Record) -> ChannelGrant:
    revoked: datetime | None = row["revoke_time"]
    return ChannelGrant(
        grant_id=row["grant_id"],
        channel_id=row["channel_id"],
        method=_PREFIX + row["method"].upper(),
        ballots=row["ballots"],
        create_time=row["create_time"],
        expire_time=row["expire_time"],
        revoke_time=revoked,
    )
