"""What Nova learns of the checkpoints that its runs wait for."""

from typing import Any
from uuid import uuid4

import grpc
import nats
import pytest

from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu.governance.v1.resolution_service_pb2 import (
    AcknowledgeResolutionsRequest,
    ListResolutionsRequest,
)
from tests.support.governance_client import GovernanceClient, gated
from tests.support.identity import Person, StandInIdentity
from tests.support.refusals import refused
from tests.support.waiting import PATIENCE


async def acknowledge(client: GovernanceClient, *resolution_ids: str) -> None:
    await client.resolutions.AcknowledgeResolutions(
        AcknowledgeResolutionsRequest(resolution_ids=resolution_ids),
        metadata=client.identity.as_service("nova"),
    )


async def test_a_resolution_stays_listed_until_it_is_acknowledged(
    client: GovernanceClient, person: Person
) -> None:
    runs = [str(uuid4()), str(uuid4())]
    _, first = await client.blocked(person, gated(person, run=runs[0]))
    _, second = await client.blocked(person, gated(person, run=runs[1]))
    assert await client.resolved(*runs) == []
    await client.approve(person, second)
    await client.reject(person, first)

    listed = await client.resolved(*runs)

    assert [(r.run_id, r.checkpoint_id, r.state) for r in listed] == [
        (runs[1], second.checkpoint_id, CheckpointState.CHECKPOINT_STATE_APPROVED),
        (runs[0], first.checkpoint_id, CheckpointState.CHECKPOINT_STATE_REJECTED),
    ]
    assert await client.resolved(*runs) == listed
    await acknowledge(client, listed[0].resolution_id, str(uuid4()))
    assert await client.resolved(*runs) == listed[1:]
    await acknowledge(client, listed[0].resolution_id, listed[1].resolution_id)
    assert await client.resolved(*runs) == []


async def test_where_no_run_waits_there_is_nothing_to_tell_nova(
    client: GovernanceClient, person: Person, superuser: Any
) -> None:
    _, blocked = await client.blocked(person, gated(person, run=""))
    await client.approve(person, blocked)

    assert not await superuser.fetchval(
        "SELECT count(*) FROM governance.resolutions WHERE checkpoint_id = $1",
        blocked.checkpoint_id,
    )


async def test_only_nova_itself_lists_and_acknowledges(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    for metadata in (
        identity.as_human(person),
        identity.as_nova(person),
        identity.as_service("threads"),
    ):
        for call in (
            client.resolutions.ListResolutions(ListResolutionsRequest(), metadata=metadata),
            client.resolutions.AcknowledgeResolutions(
                AcknowledgeResolutionsRequest(resolution_ids=[str(uuid4())]), metadata=metadata
            ),
        ):
            await refused(call, grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED")


@pytest.mark.parametrize("ids", [[], ["1"], [str(uuid4())] * 201])
async def test_what_is_no_list_of_ids_is_refused(client: GovernanceClient, ids: list[str]) -> None:
    await refused(acknowledge(client, *ids), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")


async def test_nova_is_woken_with_the_run_after_the_decision_is_committed(
    client: GovernanceClient, person: Person, nats_url: str
) -> None:
    run = str(uuid4())
    _, blocked = await client.blocked(person, gated(person, run=run))
    connection = await nats.connect(nats_url)
    try:
        woken = await connection.subscribe("wake.nova.resolutions")
        await connection.flush()

        await client.approve(person, blocked)

        message = await woken.next_msg(timeout=PATIENCE)
        assert message.data.decode() == run
        assert len(await client.resolved(run)) == 1
    finally:
        await connection.close()
