"""Identity is away: what needs it waits, what does not goes on."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from chenu.governance.v1.authorization_service_pb2 import VerdictState
from services.governance.__main__ import PROGRAM
from tests.support.database_urls import DatabaseUrls
from tests.support.governance_client import GovernanceClient, allowed, gated
from tests.support.identity import Person, StandInIdentity
from tests.support.refusals import refused
from tests.support.running import running, shared_settings

UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")


@pytest.fixture
async def alone(
    tmp_path: Path, nats_url: str, urls: DatabaseUrls, person: Person
) -> AsyncIterator[tuple[GovernanceClient, StandInIdentity]]:
    """A governance of its own that knows identity's keys, and that identity, to be stopped."""
    async with StandInIdentity() as identity:
        shared = shared_settings(tmp_path, nats_url, identity)
        async with running(PROGRAM, shared, urls) as service:
            address = f"127.0.0.1:{service.port}"
            async with grpc.aio.insecure_channel(address) as channel:
                client = GovernanceClient(channel, identity)
                await client.ask(person, allowed(person))
                yield client, identity


async def test_what_the_rules_allow_is_permitted_without_identity(
    alone: tuple[GovernanceClient, StandInIdentity], person: Person
) -> None:
    client, identity = alone
    await identity.stop()

    (verdict,) = await client.ask(person, allowed(person))

    assert verdict.permit


async def test_a_checkpoint_is_made_and_nobody_votes_until_identity_is_back(
    alone: tuple[GovernanceClient, StandInIdentity], person: Person
) -> None:
    client, identity = alone
    await identity.stop()

    (verdict,) = await client.ask(person, gated(person))

    assert verdict.state == VerdictState.VERDICT_STATE_BLOCKED
    await refused(client.approve(person, verdict.checkpoint), *UNAVAILABLE)


async def test_an_approval_becomes_no_permit_while_nobody_can_vouch_for_its_voter(
    alone: tuple[GovernanceClient, StandInIdentity], person: Person
) -> None:
    client, identity = alone
    request, checkpoint = await client.blocked(person)
    await client.approve(person, checkpoint)
    await identity.stop()

    await refused(client.ask(person, request), *UNAVAILABLE)
    await refused(client.ask_one(person, request), *UNAVAILABLE)
