"""Every hand that reaches for the fleet: Nova's, an agent's, a service's, a database role's."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from chenu.governance.v1.authorization_service_pb2 import (
    ActionRequest,
    AuthorizeActionsRequest,
    Verdict,
)
from chenu.governance.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from chenu.governance.v1.executor_service_pb2 import ExecuteActionRequest, ExecuteActionResponse
from chenu.governance.v1.executor_service_pb2_grpc import ExecutorServiceStub
from chenu.identity.v1.agent_service_pb2 import HireAgentRequest
from chenu.identity.v1.agent_service_pb2_grpc import AgentServiceStub
from chenu.identity.v1.channel_grant_service_pb2 import (
    IssueBallotRequest,
    IssueChannelGrantRequest,
    RedeemBallotRequest,
)
from chenu.identity.v1.channel_grant_service_pb2_grpc import ChannelGrantServiceStub
from chenu.identity.v1.token_service_pb2 import (
    ExchangeDelegationRequest,
    IssueAgentTokenRequest,
    IssueServiceTokenRequest,
    IssueVoteTokenRequest,
)
from chenu.identity.v1.token_service_pb2_grpc import TokenServiceStub
from chenu_gate.action import Action, Principal, Target
from kernel.tokens import SigningKey
from services.courier.tools import TOOLBOX as COURIERS
from services.threads.tools import TOOLBOX as THREADS
from tests.support.fleet import Client, Fleet
from tests.support.identity import Metadata, Person, bearer

TOOLS = {**THREADS.tools, **COURIERS.tools}
ANY_DIGEST = "sha256:" + "0" * 64


def person_of(client: Client) -> Person:
    """The ids behind a client's session."""
    session = client.session.session
    return Person(
        person=session.user.user_id,
        tenant=session.user.tenant_id,
        identity=session.identity.identity_id,
    )


def use(client: Client, tool: str, *targets: Target, **arguments: Any) -> Action:
    """The action that Nova would plan for the person."""
    definition, person = TOOLS[tool], person_of(client)
    return Action(
        kind=definition.kind,
        tool=definition.pinned,
        executor=definition.executor,
        principal=Principal(person.tenant, person.person, person.identity),
        source_sphere="personal",
        target_sphere=str(arguments.get("sphere", "personal")),
        targets=targets,
        arguments=arguments,
        run=str(uuid4()),
    )


class Hands:
    """What the holders of the fleet's keys, tokens and passwords can do with them."""

    def __init__(self, fleet: Fleet, environment: Mapping[str, str]) -> None:
        self.fleet, self._environment = fleet, environment
        self.keys = Path(environment["CHENU_KEYS_DIR"])
        self._service_tokens: dict[str, str] = {}
        self._delegations: dict[str, str] = {}

    @property
    def tokens(self) -> TokenServiceStub:
        return TokenServiceStub(self.fleet.channel("identity"))

    @property
    def grants(self) -> ChannelGrantServiceStub:
        return ChannelGrantServiceStub(self.fleet.channel("identity"))

    @property
    def permit_key(self) -> SigningKey:
        """The key that only governance should ever sign with."""
        return SigningKey.load(self.keys / "permits" / "current.pem")

    @property
    def token_key(self) -> SigningKey:
        """The key that only identity should ever sign with."""
        newest = max((self.keys / "tokens").glob("[0-9]*[0-9]Z.pem"))
        return SigningKey.load(newest)

    def assertion(self, service: str) -> str:
        """What a service signs with its own key to get its token."""
        key = SigningKey.load(self.keys / f"{service}.pem")
        return key.sign({"sub": service, "aud": "identity"}, typ="assertion+jwt", ttl=60)

    async def service(self, name: str) -> str:
        """A service's own token."""
        if name not in self._service_tokens:
            request = IssueServiceTokenRequest(assertion=self.assertion(name))
            answer = await self.tokens.IssueServiceToken(request)
            self._service_tokens[name] = answer.service_token
        return self._service_tokens[name]

    async def delegation(self, client: Client, metadata: Metadata = ()) -> str:
        """A delegation of the person's (or of whoever `metadata` is) to Nova."""
        answer = await self.tokens.ExchangeDelegation(
            ExchangeDelegationRequest(), metadata=metadata or client.me
        )
        return answer.delegation_token

    async def nova(self, client: Client) -> Metadata:
        """What Nova presents elsewhere: the person's delegation beside its own token."""
        key = client.session.access_token
        if key not in self._delegations:
            self._delegations[key] = await self.delegation(client)
        return bearer(self._delegations[key], await self.service("nova"))

    async def agent(self, client: Client) -> Metadata:
        """What an agent of the person's presents."""
        hired = await AgentServiceStub(self.fleet.channel("identity")).HireAgent(
            HireAgentRequest(display_name="Helper", session_secret=client.session.session_secret),
            metadata=client.me,
        )
        answer = await self.tokens.IssueAgentToken(
            IssueAgentTokenRequest(agent_id=hired.agent.agent_id, secret=hired.secret)
        )
        return bearer(answer.access_token)

    async def vote_token(self, client: Client, checkpoint_id: str, etag: str = ANY_DIGEST) -> str:
        """What the person's session secret buys."""
        answer = await self.tokens.IssueVoteToken(
            IssueVoteTokenRequest(
                session_secret=client.session.session_secret,
                checkpoint_id=checkpoint_id,
                view_digest=etag,
            )
        )
        return answer.vote_token

    async def channel_grant(self, client: Client, method: str = "MAIL") -> str:
        """What lets courier have ballots for a channel of the person's."""
        answer = await self.grants.IssueChannelGrant(
            IssueChannelGrantRequest(
                session_secret=client.session.session_secret,
                channel_id=str(uuid4()),
                method=f"CHANNEL_METHOD_{method}",
            )
        )
        return answer.channel_grant

    async def ballot(
        self, client: Client, checkpoint_id: str, etag: str = ANY_DIGEST, method: str = "MAIL"
    ) -> str:
        """What courier would send the person."""
        request = IssueBallotRequest(
            channel_grant=await self.channel_grant(client, method),
            checkpoint_id=checkpoint_id,
            view_digest=etag,
        )
        courier = bearer("", await self.service("courier"))
        return (await self.grants.IssueBallot(request, metadata=courier)).ballot

    async def redeemed(self, ballot: str) -> Metadata:
        """What the gateway presents for whoever brings the ballot."""
        gateway = await self.service("gateway")
        answer = await self.grants.RedeemBallot(
            RedeemBallotRequest(ballot=ballot), metadata=bearer("", gateway)
        )
        return bearer(answer.vote_token, gateway)

    async def ask(
        self, client: Client, action: Action, request_id: str = "", **fields: Any
    ) -> Verdict:
        """Governance's verdict, asked as Nova asks."""
        request = ActionRequest(
            action=action.canonical(), request_id=request_id or str(uuid4()), **fields
        )
        answer = await AuthorizationServiceStub(self.fleet.channel("governance")).AuthorizeActions(
            AuthorizeActionsRequest(actions=[request]), metadata=await self.nova(client)
        )
        return answer.verdicts[0]

    async def execute(
        self,
        client: Client,
        action: Action,
        permit: str,
        *,
        executor: str = "",
        metadata: Metadata = (),
    ) -> ExecuteActionResponse:
        """Have an executor act, as Nova does."""
        return await ExecutorServiceStub(
            self.fleet.channel(executor or action.executor)
        ).ExecuteAction(
            ExecuteActionRequest(action=action.canonical(), permit=permit),
            metadata=metadata or await self.nova(client),
        )

    @asynccontextmanager
    async def login(
        self, role: str, who: Person | None = None, *, keep: bool = False
    ) -> AsyncIterator[Any]:
        """A connection of a database role, acting for somebody; rolled back unless kept."""
        service, _, kind = role.rpartition("_")
        variable = "DATABASE_URL" if kind == "app" else "WORKER_DATABASE_URL"
        connection = await asyncpg.connect(self._environment[f"CHENU_{service.upper()}_{variable}"])
        try:
            transaction = connection.transaction()
            await transaction.start()
            if who is not None:
                await act_for(connection, who)
            yield connection
            await (transaction.commit() if keep else transaction.rollback())
        finally:
            await connection.close()


async def act_for(connection: Any, who: Person) -> None:
    """Have the connection act for somebody, as a transaction of a service would."""
    for name, value in (("tenant", who.tenant), ("person", who.person), ("identity", who.identity)):
        await connection.execute("SELECT set_config($1, $2, false)", f"chenu.{name}", value)


async def refusal_of(connection: Any, statement: str, *arguments: Any) -> asyncpg.PostgresError:
    """What the database says to a statement that it must refuse; the transaction stays usable."""
    savepoint = connection.transaction()
    await savepoint.start()
    try:
        await connection.execute(statement, *arguments)
    except asyncpg.PostgresError as refusal:
        await savepoint.rollback()
        return refusal
    await savepoint.rollback()
    raise AssertionError(f"the database let it pass: {statement}")
