"""Following checkpoints: from what is pending now, from a cursor, within bounds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc
import pytest

from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu.governance.v1.checkpoint_service_pb2 import WatchCheckpointsResponse
from chenu.governance.v1.decision_pb2 import ExecutionState
from kernel.pagination import PageTokens
from kernel.service import Service
from kernel.watching import Changes
from services.governance.clock import Clock
from services.governance.review.checkpoints import Checkpoints
from services.governance.review.watch import Watch
from tests.support.governance_client import GovernanceClient
from tests.support.identity import Person, StandInIdentity, bearer
from tests.support.refusals import refused
from tests.support.waiting import PATIENCE

PENDING = CheckpointState.CHECKPOINT_STATE_PENDING
APPROVED = CheckpointState.CHECKPOINT_STATE_APPROVED

Stream = AsyncIterator[WatchCheckpointsResponse]


async def next_change(stream: Stream) -> WatchCheckpointsResponse:
    async with asyncio.timeout(PATIENCE):
        async for response in stream:
            if response.HasField("checkpoint"):
                return response
    raise AssertionError("the stream ended")


async def test_a_stream_begins_with_what_waits_and_goes_on_with_what_changes(
    client: GovernanceClient, person: Person
) -> None:
    _, old = await client.blocked(person)
    _, decided = await client.blocked(person)
    await client.approve(person, decided)

    async with aclosing(client.watch(person)) as stream:
        first = await next_change(stream)
        _, new = await client.blocked(person)
        second = await next_change(stream)
        await client.approve(person, old)
        third = await next_change(stream)

    told = [(r.checkpoint.checkpoint_id, r.checkpoint.state) for r in (first, second, third)]
    assert told == [
        (old.checkpoint_id, PENDING),
        (new.checkpoint_id, PENDING),
        (old.checkpoint_id, APPROVED),
    ]


async def test_row_38_a_live_stream_resumes_where_the_last_one_ended_and_misses_nothing(
    client: GovernanceClient, person: Person
) -> None:
    async with aclosing(client.watch(person)) as stream:
        cursor = (await anext(stream)).cursor
    made = {(await client.blocked(person))[1].checkpoint_id for _ in range(3)}

    seen, cursors = set(), []
    async with aclosing(client.watch(person, cursor)) as stream:
        for _ in made:
            response = await next_change(stream)
            seen.add(response.checkpoint.checkpoint_id)
            cursors.append(response.cursor)

    assert seen == made
    # Before the last of what changed together, resuming means getting it again.
    assert cursors[:2] == [cursor, cursor]
    async with aclosing(client.watch(person, cursors[2])) as stream:
        assert not (await anext(stream)).HasField("checkpoint")


async def test_every_change_is_told_however_many_write_at_once(
    client: GovernanceClient, person: Person
) -> None:
    made: set[str] = set()

    async def make() -> None:
        for _ in range(5):
            _, blocked = await client.blocked(person)
            made.add(blocked.checkpoint_id)

    seen: set[str] = set()
    async with aclosing(client.watch(person)) as stream:
        writers = asyncio.gather(*(make() for _ in range(6)))
        async with asyncio.timeout(PATIENCE):
            while len(seen) < 30:
                seen.add((await next_change(stream)).checkpoint.checkpoint_id)
        await writers

    assert seen == made


async def test_the_end_of_an_execution_is_a_change_too(
    client: GovernanceClient, person: Person
) -> None:
    request, blocked = await client.blocked(person)
    await client.approve(person, blocked)
    (verdict,) = await client.ask(person, request)
    async with aclosing(client.watch(person)) as stream:
        assert not (await anext(stream)).HasField("checkpoint")
        await client.report(verdict, ExecutionState.EXECUTION_STATE_UNKNOWN)
        unknown = await next_change(stream)
        await client.report(verdict, ExecutionState.EXECUTION_STATE_SUCCEEDED)
        known = await next_change(stream)

    states = [response.checkpoint.execution_state for response in (unknown, known)]
    assert states == [
        ExecutionState.EXECUTION_STATE_UNKNOWN,
        ExecutionState.EXECUTION_STATE_SUCCEEDED,
    ]


async def test_a_quiet_stream_shows_that_it_lives(client: GovernanceClient, person: Person) -> None:
    async with aclosing(client.watch(person)) as stream, asyncio.timeout(PATIENCE):
        beats = [await anext(stream) for _ in range(3)]

    assert all(beat.cursor and not beat.HasField("checkpoint") for beat in beats)


async def test_nobody_hears_of_anybody_elses_checkpoints(
    client: GovernanceClient, person: Person
) -> None:
    async with aclosing(client.watch(person)) as stream:
        await anext(stream)
        await client.blocked(Person(person=person.person, tenant=person.tenant))
        _, own = await client.blocked(person)

        assert (await next_change(stream)).checkpoint.checkpoint_id == own.checkpoint_id


async def test_a_stream_ends_with_the_token_that_opened_it(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    from chenu.governance.v1.checkpoint_service_pb2 import WatchCheckpointsRequest

    token = identity.access(person, ttl=2)
    call = client.checkpoints.WatchCheckpoints(WatchCheckpointsRequest(), metadata=bearer(token))

    async with asyncio.timeout(PATIENCE):
        cursors = [response.cursor async for response in call]

    assert cursors
    assert await call.code() == grpc.StatusCode.OK


async def test_a_stream_ends_after_its_time_and_when_the_service_stops(
    service: Service[Any], person: Person, clock: Clock
) -> None:
    from kernel.caller import Caller

    caller = Caller(
        tenant=person.tenant,
        person=person.person,
        identity=person.identity,
        actor="human",
        claims={"exp": 1e12},
    )
    pages, stopping = PageTokens(b"0" * 32), asyncio.Event()
    checkpoints = Checkpoints(service.database, pages, clock)

    def watch(seconds: float) -> Watch:
        return Watch(checkpoints, pages, Changes(), stopping, seconds=seconds, heartbeat=0.01)

    async with asyncio.timeout(PATIENCE):
        assert [told async for told in watch(1.2).follow(caller, "")]
        async for _ in watch(3600).follow(caller, ""):
            stopping.set()


@pytest.mark.parametrize("cursor", ["x", "AAAA", "🙂", "0" * 2000])
async def test_a_forged_cursor_is_refused(
    client: GovernanceClient, person: Person, cursor: str
) -> None:
    await refused(
        anext(client.watch(person, cursor)),
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_PAGE_TOKEN",
    )


async def test_a_cursor_from_before_a_restore_begins_with_what_waits(
    client: GovernanceClient, service: Service[Any], person: Person
) -> None:
    from chenu.governance.v1.checkpoint_service_pb2 import WatchCheckpointsRequest

    _, blocked = await client.blocked(person)
    future = {"snapshot": f"{2**40 + 100}:{2**40 + 100}:"}
    cursor = service.page_tokens.encode(future, WatchCheckpointsRequest())

    async with aclosing(client.watch(person, cursor)) as stream:
        assert (await next_change(stream)).checkpoint.checkpoint_id == blocked.checkpoint_id
