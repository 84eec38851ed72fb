"""What an agent may do widens by its person's doing, and by no token that others may hold."""

from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chenu.identity.v1.agent_pb2 import Agent
from chenu.identity.v1.agent_service_pb2 import (
    FireAgentRequest,
    HireAgentRequest,
    ListAgentsRequest,
    UpdateAgentRequest,
)
from tests.integration.identity.conftest import Identity, Someone, refusal

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


async def hired(identity: Identity, person: Someone, **limits: Any) -> Agent:
    request = HireAgentRequest(
        display_name="Filer", session_secret=person.login.session_secret, **limits
    )
    answer = await identity.agents.HireAgent(request, metadata=person.metadata)
    return Agent.FromString(answer.agent.SerializeToString())


async def change(
    identity: Identity, person: Someone, agent: Agent, secret: str = "", **wanted: Any
) -> Agent:
    request = UpdateAgentRequest(
        agent_id=agent.agent_id,
        agent=Agent(**wanted),
        update_mask=FieldMask(paths=list(wanted)),
        etag=agent.etag,
        session_secret=secret,
    )
    answer = await identity.agents.UpdateAgent(request, metadata=person.metadata)
    return Agent.FromString(answer.agent.SerializeToString())


async def test_an_access_token_alone_hires_nobody(identity: Identity, someone: Someone) -> None:
    hire = HireAgentRequest(display_name="Mine")
    call = identity.agents.HireAgent(hire, metadata=someone.metadata)
    await refusal(call, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    stranger = await identity.register()
    for secret in ("guessed, and long enough", someone.token[:512], stranger.login.session_secret):
        hire.session_secret = secret
        call = identity.agents.HireAgent(hire, metadata=someone.metadata)
        await refusal(call, UNAUTHENTICATED, "SESSION_INVALID")
    listed = await identity.agents.ListAgents(ListAgentsRequest(), metadata=someone.metadata)
    assert not listed.agents


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [
        ({"scopes": ["thread.search"]}, {"scopes": []}),
        ({"scopes": ["thread.search"]}, {"scopes": ["thread.search", "thread.delete"]}),
        ({"scopes": ["thread.search"]}, {"scopes": ["thread.*"]}),
        ({"scopes": ["thread.*"]}, {"scopes": ["threads.delete"]}),
        ({"scopes": ["note.*"]}, {"scopes": ["note.read", "thread.search"]}),
        ({"always_gated": True}, {"always_gated": False}),
        (
            {"scopes": ["thread.*"], "always_gated": True},
            {"scopes": ["thread.search"], "always_gated": False},
        ),
    ],
)
async def test_what_lets_an_agent_do_more_takes_the_secret_of_its_persons_session(
    identity: Identity, someone: Someone, limits: dict[str, Any], wanted: dict[str, Any]
) -> None:
    agent = await hired(identity, someone, **limits)
    stranger = await identity.register()
    for secret in ("", "guessed, and long enough", stranger.login.session_secret):
        await refusal(
            change(identity, someone, agent, secret, **wanted), UNAUTHENTICATED, "SESSION_INVALID"
        )
    (same,) = (
        await identity.agents.ListAgents(ListAgentsRequest(), metadata=someone.metadata)
    ).agents
    assert same == agent
    assert await change(identity, someone, agent, someone.login.session_secret, **wanted) != agent


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [
        ({}, {"scopes": ["thread.search"]}),
        ({}, {"always_gated": True}),
        ({"scopes": ["thread.*", "note.read"]}, {"scopes": ["thread.search", "thread.tag.*"]}),
        ({"scopes": ["thread.*"], "always_gated": True}, {"display_name": "Other"}),
        ({"scopes": ["thread.*"]}, {"scopes": ["thread.*"], "always_gated": False}),
    ],
)
async def test_to_narrow_an_agent_and_to_fire_it_an_access_token_is_enough(
    identity: Identity, someone: Someone, limits: dict[str, Any], wanted: dict[str, Any]
) -> None:
    agent = await hired(identity, someone, **limits)
    narrowed = await change(identity, someone, agent, **wanted)
    assert narrowed.etag != agent.etag
    fire = FireAgentRequest(agent_id=agent.agent_id)
    fired = await identity.agents.FireAgent(fire, metadata=someone.metadata)
    assert fired.agent.HasField("fire_time")
