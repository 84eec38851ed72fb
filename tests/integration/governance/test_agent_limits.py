"""An agent has what it was hired with, and asks people only so often."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo

from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu_gate.action import Tool
from kernel.errors import detail, reason_of
from kernel.settings import SharedSettings
from services.governance.__main__ import PROGRAM
from tests.support.actions import DEFINITION
from tests.support.database_urls import DatabaseUrls
from tests.support.governance_client import GovernanceClient, a_request, allowed, gated, principal
from tests.support.identity import Person, StandInIdentity, bearer
from tests.support.refusals import refused
from tests.support.running import running

PERMITTED = VerdictState.VERDICT_STATE_PERMITTED
DENIED = VerdictState.VERDICT_STATE_DENIED
BLOCKED = VerdictState.VERDICT_STATE_BLOCKED
AGENT = str(uuid4())


def as_agent(identity: StandInIdentity, person: Person, **limits: Any) -> Any:
    return bearer(identity.access(person, agent=AGENT, **limits))


def search(person: Person) -> Any:
    return allowed(
        person, principal=principal(person, AGENT), tool=Tool("thread.search", DEFINITION)
    )


@pytest.mark.parametrize(
    ("scopes", "state"),
    [
        ([], PERMITTED),
        (["thread.search"], PERMITTED),
        (["note.add", "thread.*"], PERMITTED),
        (["thread.sea"], DENIED),
        (["thread"], DENIED),
        (["threa.*"], DENIED),
        (["note.*"], DENIED),
    ],
)
async def test_an_agent_uses_only_what_it_was_hired_for(
    client: GovernanceClient,
    identity: StandInIdentity,
    person: Person,
    scopes: list[str],
    state: int,
) -> None:
    metadata = as_agent(identity, person, scopes=scopes)

    (verdict,) = await client.ask(person, search(person), metadata=metadata)

    assert verdict.state == state
    if state == DENIED:
        assert verdict.reason.startswith("OUT_OF_SCOPE: ")
        await refused(
            client.ask_one(person, search(person), metadata=metadata),
            grpc.StatusCode.PERMISSION_DENIED,
            "OUT_OF_SCOPE",
        )


async def test_an_approval_is_worth_nothing_to_an_agent_whose_scope_is_narrower_now(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    request = a_request(search(person))
    wide = as_agent(identity, person)
    await client.ask(person, request, metadata=wide)

    (verdict,) = await client.ask(
        person, request, metadata=as_agent(identity, person, scopes=["note.*"])
    )

    assert (verdict.state, verdict.permit) == (DENIED, "")


async def test_a_person_decides_whatever_an_always_gated_agent_does(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    metadata = as_agent(identity, person, always_gated=True)

    (verdict,) = await client.ask(person, search(person), metadata=metadata)

    assert verdict.state == BLOCKED
    assert (await client.ask(person, allowed(person)))[0].state == PERMITTED


async def test_no_claim_of_an_agent_frees_anything(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    """Roles and scopes in an agent's token take nothing from what its person needs approved."""
    metadata = as_agent(
        identity, person, scopes=["thread.*"], always_gated=False, roles=["owner", "operator"]
    )
    action = gated(person, principal=principal(person, AGENT))

    (verdict,) = await client.ask(person, action, metadata=metadata)

    assert verdict.state == BLOCKED
    for person_for_whom in (Person(), Person(tenant=person.tenant)):
        await refused(
            client.ask(
                person, gated(person_for_whom, principal=principal(person_for_whom, AGENT)),
                metadata=metadata,
            ),
            grpc.StatusCode.PERMISSION_DENIED,
            "PRINCIPAL_MISMATCH",
        )  # fmt: skip


@pytest.fixture
async def strict(
    shared: SharedSettings, urls: DatabaseUrls, service: Any, identity: StandInIdentity
) -> AsyncIterator[GovernanceClient]:
    """A second governance on the same database, where an agent may ask twice in an hour."""
    async with (
        running(PROGRAM, shared, urls, agent_asks_per_hour=2, sweep_seconds=3600) as started,
        grpc.aio.insecure_channel(f"127.0.0.1:{started.port}") as channel,
    ):
        yield GovernanceClient(channel, identity)


async def test_an_agent_that_asks_too_often_is_told_when_to_ask_again(
    strict: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    metadata = as_agent(identity, person)
    asked = [a_request(gated(person, principal=principal(person, AGENT))) for _ in range(3)]

    verdicts = await strict.ask(person, *asked[:2], metadata=metadata)
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await strict.ask(person, a_request(search(person)), asked[2], metadata=metadata)

    assert [verdict.state for verdict in verdicts] == [BLOCKED, BLOCKED]
    assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert reason_of(refusal.value) == "ASKED_TOO_OFTEN"
    retry = detail(refusal.value, RetryInfo)
    assert retry is not None
    assert 3500 < retry.retry_delay.seconds <= 3600
    # What it asked before is told, what asks nobody is decided, and others ask as they like.
    again = await strict.ask(person, *asked[:2], a_request(search(person)), metadata=metadata)
    assert [verdict.state for verdict in again] == [BLOCKED, BLOCKED, PERMITTED]
    other = str(uuid4())
    theirs = gated(person, principal=principal(person, other))
    (free,) = await strict.ask(person, theirs, metadata=identity.as_agent(person, other))
    assert free.state == BLOCKED
