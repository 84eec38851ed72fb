"""What a person rejected is not asked again by other words, until it is old or lifted."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest

from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu.governance.v1.executor_service_pb2 import ListToolsResponse
from chenu.governance.v1.executor_service_pb2_grpc import (
    ExecutorServiceServicer,
    add_ExecutorServiceServicer_to_server,
)
from chenu.governance.v1.tombstone_service_pb2 import LiftTombstoneRequest, ListTombstonesRequest
from chenu_gate.action import Action, ActionKind, Target
from chenu_gate.action import Tool as PinnedTool
from chenu_gate.tools import Tool
from kernel.settings import SharedSettings
from services.governance.__main__ import PROGRAM
from services.governance.clock import Clock
from tests.integration.governance.conftest import Events
from tests.support.actions import DEFINITION
from tests.support.database_urls import DatabaseUrls
from tests.support.governance_client import GovernanceClient, a_request, gated, principal
from tests.support.identity import Person, StandInIdentity
from tests.support.refusals import refused
from tests.support.running import running, shared_settings

DENIED = VerdictState.VERDICT_STATE_DENIED
BLOCKED = VerdictState.VERDICT_STATE_BLOCKED
LETTER = Tool.declare(
    name="letter.send",
    description="Sends a letter.",
    input_schema={
        "type": "object",
        "properties": {
            "to": {"type": "string"},
            "greeting": {"type": "string", "x-cosmetic": True},
        },
    },
    kind=ActionKind.SEND,
    executor="threads",
)


async def rejected(client: GovernanceClient, person: Person, action: Action) -> str:
    _, checkpoint = await client.blocked(person, action)
    await client.reject(person, checkpoint, "no")
    return str(checkpoint.checkpoint_id)


async def test_the_like_of_what_was_rejected_is_denied_with_who_and_when(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    action = gated(person)
    checkpoint_id = await rejected(client, person, action)
    (target,) = action.targets
    again = replace(
        action,
        thread=str(uuid4()),
        run=str(uuid4()),
        targets=(replace(target, version="v8", name="another name"),),
        principal=principal(person, str(uuid4())),
    )

    (verdict,) = await client.ask(
        person,
        a_request(again, agent_words="Please, please."),
        metadata=identity.as_nova(person, again.principal.agent),
    )

    assert verdict.state == DENIED
    assert verdict.reason.startswith(f"REJECTED_BEFORE: by person {person.person} at ")
    assert checkpoint_id in verdict.reason
    assert not verdict.decision.checkpoint_id
    await refused(
        client.ask_one(person, action), grpc.StatusCode.PERMISSION_DENIED, "REJECTED_BEFORE"
    )


@pytest.mark.parametrize("other", ["tool", "kind", "target", "argument", "sphere"])
async def test_another_action_may_be_asked(
    client: GovernanceClient, person: Person, other: str
) -> None:
    action = gated(person)
    await rejected(client, person, action)
    changes: dict[str, Any] = {
        "tool": {"tool": PinnedTool("thread.erase", DEFINITION)},
        "kind": {"kind": ActionKind.EXECUTE},
        "target": {"targets": (Target("thread", str(uuid4()), "v7"),)},
        "argument": {"arguments": {**action.document()["arguments"], "reason": "another"}},
        "sphere": {"target_sphere": "personal"},
    }

    (verdict,) = await client.ask(person, replace(action, **changes[other]))

    assert verdict.state == BLOCKED


async def test_what_one_identity_rejected_is_nothing_to_another(
    client: GovernanceClient, person: Person
) -> None:
    action, other = gated(person), Person(tenant=person.tenant)
    await rejected(client, person, action)

    (verdict,) = await client.ask(other, replace(action, principal=principal(other)))

    assert verdict.state == BLOCKED


async def test_what_was_asked_before_the_rejection_still_waits(
    client: GovernanceClient, person: Person
) -> None:
    action = gated(person)
    earlier, checkpoint = await client.blocked(person, action)
    await rejected(client, person, action)

    (verdict,) = await client.ask(person, earlier)

    assert verdict.checkpoint == checkpoint


async def test_a_rejection_holds_for_its_life_and_not_for_ever(
    client: GovernanceClient, person: Person, clock: Clock
) -> None:
    action = gated(person)
    await rejected(client, person, action)

    clock.offset = timedelta(minutes=59)
    (held,) = await client.ask(person, action)
    clock.offset = timedelta(minutes=61)
    (free,) = await client.ask(person, action)

    assert (held.state, free.state) == (DENIED, BLOCKED)


async def test_a_person_lifts_it_and_is_then_asked_again(
    client: GovernanceClient, identity: StandInIdentity, person: Person, events: Events
) -> None:
    action = gated(person)
    checkpoint_id = await rejected(client, person, action)
    mine = identity.as_human(person)

    listed = await client.tombstones.ListTombstones(ListTombstonesRequest(), metadata=mine)
    for _ in range(2):
        await client.tombstones.LiftTombstone(
            LiftTombstoneRequest(checkpoint_id=checkpoint_id), metadata=mine
        )
    (verdict,) = await client.ask(person, action)
    left = await client.tombstones.ListTombstones(ListTombstonesRequest(), metadata=mine)

    assert [one.checkpoint_id for one in listed.tombstones] == [checkpoint_id]
    assert verdict.state == BLOCKED
    assert not left.tombstones
    told = [event["type"] for event in await events(f"checkpoint/{checkpoint_id}")]
    assert told.count("chenu.governance.tombstone.lifted") == 1


async def test_tombstones_are_listed_page_by_page_the_latest_first(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    made = [await rejected(client, person, gated(person)) for _ in range(3)]
    request, listed = ListTombstonesRequest(page_size=2), []

    for _ in range(2):
        answer = await client.tombstones.ListTombstones(request, metadata=identity.as_human(person))
        listed += [one.checkpoint_id for one in answer.tombstones]
        request.page_token = answer.next_page_token

    assert listed == made[::-1]


async def test_nobody_else_and_no_agent_lifts_it(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    request = LiftTombstoneRequest(checkpoint_id=await rejected(client, person, gated(person)))
    waiting = (await client.blocked(person))[1].checkpoint_id
    denied = grpc.StatusCode.PERMISSION_DENIED

    for metadata, asked, reason in (
        (identity.as_human(Person()), request, "FORBIDDEN"),
        (identity.as_human(person), LiftTombstoneRequest(checkpoint_id=waiting), "FORBIDDEN"),
        (identity.as_agent(person, str(uuid4())), request, "CALLER_NOT_ALLOWED"),
        (identity.as_nova(person), request, "CALLER_NOT_ALLOWED"),
    ):
        await refused(client.tombstones.LiftTombstone(asked, metadata=metadata), denied, reason)


class Letters(ExecutorServiceServicer):
    """An executor that tells its tools."""

    asked = 0

    async def ListTools(self, _request: Any, _context: Any) -> ListToolsResponse:
        self.asked += 1
        return ListToolsResponse(tools=[LETTER.message()])


@pytest.fixture
async def letters(
    keys_dir: Path, nats_url: str, identity: StandInIdentity
) -> AsyncIterator[tuple[Letters, SharedSettings]]:
    """The executor, and the settings of a governance that knows where it is."""
    server, servicer = grpc.aio.server(), Letters()
    add_ExecutorServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    address = f"127.0.0.1:{port}"
    yield servicer, shared_settings(keys_dir, nats_url, identity, threads=address)
    await server.stop(0)


async def test_what_the_tools_schema_calls_cosmetic_makes_no_other_action(
    letters: tuple[Letters, SharedSettings],
    urls: DatabaseUrls,
    identity: StandInIdentity,
    service: Any,
    person: Person,
) -> None:
    executor, shared = letters
    action = gated(
        person,
        kind=ActionKind.SEND,
        tool=LETTER.pinned,
        targets=(),
        arguments={"to": "Ada", "greeting": "Dear Ada"},
    )
    async with (
        running(PROGRAM, shared, urls, sweep_seconds=3600) as started,
        grpc.aio.insecure_channel(f"127.0.0.1:{started.port}") as channel,
    ):
        client = GovernanceClient(channel, identity)
        await rejected(client, person, action)
        friendlier = replace(action, arguments={"to": "Ada", "greeting": "Dearest Ada"})
        somebody_else = replace(action, arguments={"to": "Bob", "greeting": "Dear Ada"})

        verdicts = [(await client.ask(person, one))[0] for one in (friendlier, somebody_else)]

    assert [verdict.state for verdict in verdicts] == [DENIED, BLOCKED]
    assert executor.asked == 1
