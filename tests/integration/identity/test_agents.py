"""Agents: hired and fired by people, and never more than agents."""

from typing import Any
from uuid import uuid4

import grpc
import jwt
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chenu.identity.v1.agent_pb2 import Agent
from chenu.identity.v1.agent_service_pb2 import (
    FireAgentRequest,
    HireAgentRequest,
    HireAgentResponse,
    ListAgentsRequest,
    UpdateAgentRequest,
)
from chenu.identity.v1.auth_service_pb2 import LogoutRequest
from chenu.identity.v1.identity_service_pb2 import ListIdentitiesRequest
from chenu.identity.v1.token_service_pb2 import IssueAgentTokenRequest, IssueVoteTokenRequest
from kernel.errors import DETAILS_KEY
from tests.integration.identity.conftest import Identity, Someone, events, refusal
from tests.support.identity import bearer

DENIED = grpc.StatusCode.PERMISSION_DENIED
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


async def hire(
    identity: Identity, person: Someone, name: str = "Scout", request_id: str = ""
) -> HireAgentResponse:
    request = HireAgentRequest(
        display_name=name, request_id=request_id, session_secret=person.login.session_secret
    )
    return await identity.agents.HireAgent(request, metadata=person.metadata)


async def agent_token(identity: Identity, hired: HireAgentResponse) -> str:
    request = IssueAgentTokenRequest(agent_id=hired.agent.agent_id, secret=hired.secret)
    return (await identity.tokens.IssueAgentToken(request)).access_token


async def test_a_hired_agent_trades_its_secret_for_a_token_of_its_own_kind(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    hired = await hire(identity, someone)
    claims = jwt.decode(await agent_token(identity, hired), options={"verify_signature": False})
    assert claims["actor"] == "agent"
    assert claims["agent"] == hired.agent.agent_id
    assert (claims["sub"], claims["identity"]) == (someone.user, someone.identity)
    assert claims["roles"] == []
    assert "sid" not in claims
    types = [event["type"] for event in await events(admin, f"agent/{hired.agent.agent_id}")]
    assert types == ["chenu.identity.agent.hired", "chenu.identity.agent_token.issued"]


async def test_the_secret_is_shown_once_and_kept_as_a_digest(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    request_id = str(uuid4())
    first = await hire(identity, someone, request_id=request_id)
    again = await hire(identity, someone, request_id=request_id)
    assert first.secret
    assert again.agent == first.agent
    assert again.secret == ""
    row = await admin.fetchval(
        "SELECT a::text FROM identity.agents AS a WHERE agent_id = $1", first.agent.agent_id
    )
    assert first.secret not in row


async def test_a_wrong_secret_and_an_unknown_agent_get_the_same_answer(
    identity: Identity, someone: Someone
) -> None:
    hired = await hire(identity, someone)
    answers = []
    for agent, secret in ((hired.agent.agent_id, "wrong"), (str(uuid4()), hired.secret)):
        request = IssueAgentTokenRequest(agent_id=agent, secret=secret)
        error = await refusal(
            identity.tokens.IssueAgentToken(request), UNAUTHENTICATED, "WRONG_CREDENTIALS"
        )
        answers.append((error.details(), dict(error.trailing_metadata() or ())[DETAILS_KEY]))
    assert answers[0] == answers[1]


async def test_a_fired_agent_gets_no_token(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    hired = await hire(identity, someone)
    request = FireAgentRequest(agent_id=hired.agent.agent_id)
    fired = (await identity.agents.FireAgent(request, metadata=someone.metadata)).agent
    assert fired.HasField("fire_time")
    await refusal(agent_token(identity, hired), UNAUTHENTICATED, "WRONG_CREDENTIALS")
    again = (await identity.agents.FireAgent(request, metadata=someone.metadata)).agent
    assert again == fired
    types = [event["type"] for event in await events(admin, f"agent/{hired.agent.agent_id}")]
    assert types.count("chenu.identity.agent.fired") == 1


async def test_a_foreign_agent_is_fired_or_changed_by_nobody_and_answers_like_a_missing_one(
    identity: Identity, someone: Someone
) -> None:
    stranger = await identity.register()
    hired = await hire(identity, someone)
    answers = []
    for agent in (hired.agent.agent_id, str(uuid4())):
        mine = Agent(agent_id=agent)
        for call in (
            identity.agents.FireAgent(FireAgentRequest(agent_id=agent), metadata=stranger.metadata),
            identity.agents.UpdateAgent(
                update(mine, etag=hired.agent.etag, scopes=[]), metadata=stranger.metadata
            ),
        ):
            error = await refusal(call, DENIED, "FORBIDDEN")
            answers.append((error.details(), dict(error.trailing_metadata() or ())[DETAILS_KEY]))
    assert len(set(answers)) == 1
    assert await agent_token(identity, hired)


def update(agent: Agent, *paths: str, etag: str = "", **wanted: Any) -> UpdateAgentRequest:
    return UpdateAgentRequest(
        agent_id=agent.agent_id,
        agent=Agent(**wanted),
        update_mask=FieldMask(paths=paths or list(wanted)),
        etag=etag or agent.etag,
    )


async def test_an_owner_says_anew_what_an_agent_is_called_and_may_use(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    hired = await hire(identity, someone)
    narrowed = update(hired.agent, scopes=["thread.search"], always_gated=True)
    answer = await identity.agents.UpdateAgent(narrowed, metadata=someone.metadata)
    assert (list(answer.agent.scopes), answer.agent.always_gated) == (["thread.search"], True)
    assert answer.agent.display_name == hired.agent.display_name
    assert answer.agent.etag != hired.agent.etag
    claims = jwt.decode(await agent_token(identity, hired), options={"verify_signature": False})
    assert (claims["scopes"], claims["always_gated"]) == (["thread.search"], True)

    renamed = update(answer.agent, "display_name", "scopes", display_name="Filer")
    renamed.session_secret = someone.login.session_secret
    answer = await identity.agents.UpdateAgent(renamed, metadata=someone.metadata)
    assert (answer.agent.display_name, list(answer.agent.scopes)) == ("Filer", [])
    assert answer.agent.always_gated
    told = await events(admin, f"agent/{hired.agent.agent_id}")
    changed = [
        event["data"]["details"]["changed"] for event in told if event["type"].endswith(".updated")
    ]
    assert changed == ["always_gated,scopes", "display_name,scopes"]
    assert "Filer" not in str(told)


async def test_an_agent_that_has_changed_or_was_fired_is_not_changed(
    identity: Identity, someone: Someone
) -> None:
    agent = (await hire(identity, someone)).agent
    gate = update(agent, always_gated=True)
    await identity.agents.UpdateAgent(gate, metadata=someone.metadata)
    await refusal(
        identity.agents.UpdateAgent(gate, metadata=someone.metadata),
        grpc.StatusCode.ABORTED,
        "ETAG_MISMATCH",
    )
    fire = FireAgentRequest(agent_id=agent.agent_id)
    fired = (await identity.agents.FireAgent(fire, metadata=someone.metadata)).agent
    await refusal(
        identity.agents.UpdateAgent(update(fired, always_gated=False), metadata=someone.metadata),
        grpc.StatusCode.FAILED_PRECONDITION,
        "AGENT_FIRED",
    )


@pytest.mark.parametrize(
    ("paths", "wanted"),
    [
        ((), {}),
        (("owner_id",), {"owner_id": str(uuid4())}),
        (("display_name",), {}),
        (("display_name",), {"display_name": "x" * 256}),
        (("scopes",), {"scopes": ["Thread delete"]}),
    ],
    ids=["nothing", "somebody else's", "no name", "too long a name", "no tool"],
)
async def test_what_cannot_be_an_agent_is_refused(
    identity: Identity, someone: Someone, paths: tuple[str, ...], wanted: dict[str, Any]
) -> None:
    agent = (await hire(identity, someone)).agent
    await refusal(
        identity.agents.UpdateAgent(update(agent, *paths, **wanted), metadata=someone.metadata),
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
    )


async def test_agents_are_listed_by_name_for_the_calling_identity_only(
    identity: Identity, someone: Someone
) -> None:
    for name in ("Willow", "ash", "Birch"):
        await hire(identity, someone, name)
    names, token = [], ""
    for _ in range(2):
        request = ListAgentsRequest(page_size=2, page_token=token)
        answer = await identity.agents.ListAgents(request, metadata=someone.metadata)
        names += [agent.display_name for agent in answer.agents]
        token = answer.next_page_token
    assert (names, token) == (["ash", "Birch", "Willow"], "")
    stranger = await identity.register()
    empty = await identity.agents.ListAgents(ListAgentsRequest(), metadata=stranger.metadata)
    assert list(empty.agents) == []


async def test_nobody_hires_after_logging_out(identity: Identity, someone: Someone) -> None:
    await identity.auth.Logout(LogoutRequest(), metadata=someone.metadata)
    await refusal(hire(identity, someone), UNAUTHENTICATED, "SESSION_INVALID")


async def test_an_agent_hires_fires_and_lists_nobody(identity: Identity, someone: Someone) -> None:
    token = bearer(await agent_token(identity, await hire(identity, someone)))
    other = (await hire(identity, someone, "Other")).agent.agent_id
    for call in (
        identity.agents.HireAgent(
            HireAgentRequest(display_name="Mine", session_secret=someone.login.session_secret),
            metadata=token,
        ),
        identity.agents.FireAgent(FireAgentRequest(agent_id=other), metadata=token),
        identity.agents.UpdateAgent(update(Agent(agent_id=other), scopes=[]), metadata=token),
        identity.agents.ListAgents(ListAgentsRequest(), metadata=token),
        identity.identities.ListIdentities(ListIdentitiesRequest(), metadata=token),
    ):
        await refusal(call, DENIED, "CALLER_NOT_ALLOWED")


@pytest.mark.parametrize("offered", ["its secret", "its token"])
async def test_nothing_that_an_agent_has_buys_a_vote(
    identity: Identity, someone: Someone, offered: str
) -> None:
    hired = await hire(identity, someone)
    token = await agent_token(identity, hired)
    request = IssueVoteTokenRequest(
        session_secret=hired.secret if offered == "its secret" else token[:512],
        checkpoint_id=str(uuid4()),
        view_digest="sha256:" + "0" * 64,
    )
    await refusal(
        identity.tokens.IssueVoteToken(request, metadata=bearer(token)),
        UNAUTHENTICATED,
        "SESSION_INVALID",
    )
