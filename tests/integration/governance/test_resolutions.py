"""What Nova learns of the checkpoints that its runs wait for."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import grpc
import pytest

from chenu.governance.v1.checkpoint_pb2 import CheckpointState
from chenu.governance.v1.resolution_service_pb2 import (
    AcknowledgeResolutionsRequest,
    ListResolutionsRequest,
)
from chenu_gate.permit import PermitKeys, verify
from tests.support.governance_client import GovernanceClient, a_request, gated, principal
from tests.support.identity import Person, StandInIdentity, bearer
from tests.support.refusals import refused
from tests.support.wake_ups import woken_by

AGENT = str(uuid4())


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


async def test_nova_is_woken_with_what_it_would_be_told_and_a_permit_once_it_is_committed(
    client: GovernanceClient, person: Person, nats_url: str, permit_key_set: PermitKeys
) -> None:
    run = str(uuid4())
    request, blocked = await client.blocked(person, gated(person, run=run))

    (heard,) = await woken_by(nats_url, client.approve(person, blocked))

    assert heard.run_id == run
    assert len(await client.resolved(run)) == 1
    (told,) = await client.ask(person, request)
    permit = verify(
        heard.verdict.permit,
        permit_key_set,
        audience="threads",
        action_bytes=request.action,
        now=datetime.now(UTC),
    )
    assert permit.permit.decision == told.decision.decision_id
    for verdict in (heard.verdict, told):  # but for the permit, which is another one
        verdict.permit = ""
        verdict.ClearField("permit_expire_time")
    assert heard.verdict == told


async def test_a_wake_up_has_no_permit_where_a_rejection_a_freeze_or_an_agent_takes_another_look(
    client: GovernanceClient, person: Person, nats_url: str
) -> None:
    _, rejected = await client.blocked(person, gated(person, run=str(uuid4())))
    _, frozen = await client.blocked(person, gated(person, run=str(uuid4())))
    agents = a_request(gated(person, run=str(uuid4()), principal=principal(person, AGENT)))
    metadata = bearer(client.identity.access(person, agent=AGENT))
    (asked,) = await client.ask(person, agents, metadata=metadata)
    freeze = await client.freeze(person)

    heard = await woken_by(
        nats_url, client.reject(person, rejected), client.approve(person, frozen)
    )
    await client.lift(person, freeze)
    heard += await woken_by(nats_url, client.approve(person, asked.checkpoint))

    assert [wake_up.HasField("verdict") for wake_up in heard] == [False] * 3
