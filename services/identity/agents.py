"""Agents' accounts: hired and fired by people, for one identity each."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from chenu.identity.v1.agent_pb2 import Agent
from chenu.identity.v1.agent_service_pb2 import (
    HireAgentRequest,
    HireAgentResponse,
    ListAgentsRequest,
    ListAgentsResponse,
    UpdateAgentRequest,
)
from kernel import idempotency
from kernel.caller import Caller
from kernel.context import current, new_id
from kernel.database import Database, Record, Transaction
from kernel.errors import EtagMismatch, Forbidden, InvalidArgument
from kernel.pagination import PageTokens, page_size
from kernel.statement import Statement
from kernel.update_mask import named_fields
from services.identity import audit_events
from services.identity.attempts import Attempts
from services.identity.errors import AgentFired, SessionSecretRequired, WrongCredentials
from services.identity.secret_tokens import digest, new_secret
from services.identity.session_secrets import SessionSecrets
from services.identity.sessions import Sessions
from services.identity.settings import IdentitySettings
from services.identity.tokens import Issued, Tokens

_METHOD: Final = "HireAgent"
_INSERT: Final = Statement(
    "INSERT INTO agents (agent_id, tenant_id, user_id, identity_id, display_name, secret_hash,"
    " scopes, always_gated)"
    " VALUES (:agent, :tenant, :person, :identity, :display_name, :secret_hash,"
    " CAST(:scopes AS text[]), :always_gated)"
)
_FIND: Final = Statement(
    "SELECT agent_id, display_name, identity_id, user_id, create_time, fire_time, scopes,"
    " always_gated, version FROM agents"
    " WHERE agent_id = :agent"
)
_LOCK: Final = Statement(
    "SELECT display_name, scopes, always_gated, version, fire_time FROM agents"
    " WHERE agent_id = :agent FOR UPDATE"
)
_UPDATE: Final = Statement(
    "UPDATE agents SET display_name = :display_name, scopes = CAST(:scopes AS text[]),"
    " always_gated = :always_gated, version = version + 1 WHERE agent_id = :agent"
)
_EDITABLE: Final = ("display_name", "scopes", "always_gated")
_FIRE: Final = Statement(
    "UPDATE agents SET fire_time = clock_timestamp() + :clock_offset"
    " WHERE agent_id = :agent AND fire_time IS NULL"
)
_LIST: Final = Statement(
    "SELECT agent_id, display_name, identity_id, user_id, create_time, fire_time, scopes,"
    " always_gated, version, lower(display_name) AS name FROM agents WHERE identity_id = :identity"
    " AND (lower(display_name), agent_id) > (:name, :agent)"
    " ORDER BY lower(display_name), agent_id LIMIT :rows"
)
_FIND_BY_SECRET: Final = Statement("SELECT * FROM find_agent(:agent, :secret_hash)")
_BEFORE_ALL: Final = {"name": "", "agent": "00000000-0000-0000-0000-000000000000"}


class Agents:
    """The calling identity's agents.

    What an agent may do lasts longer than any token: with an access token alone nobody hires one,
    or has it do more. To narrow or fire one, it is enough.
    """

    def __init__(
        self, database: Database, secrets: SessionSecrets, sessions: Sessions, tokens: Tokens,
        *, attempts: Attempts, pages: PageTokens, settings: IdentitySettings,
    ) -> None:  # fmt: skip
        self._database, self._secrets = database, secrets
        self._sessions, self._tokens = sessions, tokens
        self._attempts, self._pages, self._offset = attempts, pages, settings.clock_offset

    async def hire(self, caller: Caller, request: HireAgentRequest) -> HireAgentResponse:
        """An agent and its secret; asked again with the same request id, without the secret."""
        await self._secrets.present(caller, request.session_secret)
        request.ClearField("session_secret")  # the same question from a later session is the same
        async with self._database.transaction(caller) as tx:
            await self._sessions.require(tx, caller)
            secret = ""
            agent = await idempotency.claim(tx, caller, request.request_id, _METHOD, request)
            if agent is None:
                agent, secret = new_id(), new_secret("agent")
                await tx.execute(
                    _INSERT, agent=agent, tenant=caller.tenant, person=caller.person,
                    identity=caller.identity, display_name=request.display_name,
                    secret_hash=digest(secret), scopes=list(request.scopes),
                    always_gated=request.always_gated,
                )  # fmt: skip
                await idempotency.remember(tx, caller, request.request_id, agent)
                tx.emit(audit_events.agent_hired(caller, agent))
            return HireAgentResponse(agent=await _find(tx, agent), secret=secret)

    async def update(self, caller: Caller, request: UpdateAgentRequest) -> Agent:
        """The agent as it is from its next token on."""
        wanted = _edited(request.agent, request.update_mask.paths)
        if request.session_secret:
            await self._secrets.present(caller, request.session_secret)
        async with self._database.transaction(caller) as tx:
            await self._sessions.require(tx, caller)
            row = await tx.fetch_one(_LOCK, agent=request.agent_id)
            if row is None:
                raise Forbidden(subject=f"agent/{request.agent_id}")
            if row["fire_time"] is not None:
                raise AgentFired
            if request.etag != _etag(row):
                raise EtagMismatch(etag=_etag(row))
            columns = {name: row[name] for name in _EDITABLE} | wanted
            if widens(row, columns) and not request.session_secret:
                raise SessionSecretRequired
            await tx.execute(_UPDATE, agent=request.agent_id, **columns)
            tx.emit(audit_events.agent_updated(caller, request.agent_id, list(wanted)))
            return await _find(tx, request.agent_id)

    async def fire(self, caller: Caller, agent_id: str) -> Agent:
        """No new tokens and no renewals from now on; firing it again changes nothing."""
        async with self._database.transaction(caller) as tx:
            await self._sessions.require(tx, caller)
            if await tx.execute(_FIRE, agent=agent_id, clock_offset=self._offset):
                tx.emit(audit_events.agent_fired(caller, agent_id))
            return await _find(tx, agent_id)

    async def list(self, caller: Caller, request: ListAgentsRequest) -> ListAgentsResponse:
        """By name, the fired ones too."""
        size = page_size(request.page_size)
        after = self._pages.decode(request.page_token, request) or _BEFORE_ALL
        async with self._database.transaction(caller) as tx:
            rows = await tx.fetch(_LIST, identity=caller.identity, rows=size + 1, **after)
        page, token = self._pages.page(
            rows, size, request, lambda row: {"name": row["name"], "agent": row["agent_id"]}
        )
        return ListAgentsResponse(agents=map(_message, page), next_page_token=token)

    async def issue_token(self, agent_id: str, secret: str) -> Issued:
        """An access token with actor "agent"; it has no session and no roles."""
        purse = self._attempts.for_agent()
        async with self._database.transaction(current().caller) as tx:
            refused = await self._attempts.take(tx, purse)
            found = await tx.fetch_one(_FIND_BY_SECRET, agent=agent_id, secret_hash=digest(secret))
        if refused:
            raise refused
        if found is None:
            raise WrongCredentials(subject=f"agent/{agent_id}")
        agent = Caller(
            tenant=found["tenant_id"], person=found["user_id"], identity=found["identity_id"],
            actor="agent", agent=agent_id, service=current().caller.service,
        )  # fmt: skip
        async with self._database.transaction(agent) as tx:
            await self._attempts.give_back(tx, purse)
            row = await tx.fetch_one(_FIND, agent=agent_id)
            issued = self._tokens.access(limited(agent, row))
            tx.emit(audit_events.agent_token_issued(agent, issued.token_id))
        return issued


def limited(agent: Caller, row: Any) -> Caller:
    """The agent with what its token must say of it: `scopes` and `always_gated` of its row."""
    limits = {"scopes": list(row["scopes"]), "always_gated": row["always_gated"]}
    return replace(agent, claims=limits)


def widens(before: Record, after: Mapping[str, Any]) -> bool:
    """Whether an agent may do anything that it might not, or without the person who decided it."""
    if before["always_gated"] and not after["always_gated"]:
        return True
    # No scopes are all of them.
    if not before["scopes"] or not after["scopes"]:
        return bool(before["scopes"])
    return not all(any(_within(new, old) for old in before["scopes"]) for new in after["scopes"])


def _within(scope: str, other: str) -> bool:
    return scope == other or (other.endswith(".*") and scope.startswith(other[:-1]))


def _edited(agent: Agent, paths: Iterable[str]) -> dict[str, Any]:
    """What these paths of the update mask set."""
    wanted = named_fields(paths, _EDITABLE)
    if "display_name" in wanted and not agent.display_name:
        raise InvalidArgument("agent.display_name: must not be empty", field="agent.display_name")
    set_to = {
        "display_name": agent.display_name,
        "scopes": list(agent.scopes),
        "always_gated": agent.always_gated,
    }
    return {path: set_to[path] for path in wanted}


def _etag(row: Record) -> str:
    return f"v{row['version']}"


async def _find(tx: Transaction, agent_id: str) -> Agent:
    row = await tx.fetch_one(_FIND, agent=agent_id)
    if row is None:
        raise Forbidden(subject=f"agent/{agent_id}")
    return _message(row)


def _message(row: Record) -> Agent:
    return Agent(
        agent_id=row["agent_id"],
        display_name=row["display_name"],
        identity_id=row["identity_id"],
        owner_id=row["user_id"],
        create_time=row["create_time"],
        fire_time=row["fire_time"],
        scopes=row["scopes"],
        always_gated=row["always_gated"],
        etag=_etag(row),
    )
