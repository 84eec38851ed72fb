"""Looking at checkpoints: one, a page, a count."""

import hashlib
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest

from chenu.governance.v1.checkpoint_pb2 import CheckpointState, CheckpointType, Priority
from chenu.governance.v1.checkpoint_service_pb2 import (
    CountCheckpointsRequest,
    CountCheckpointsResponse,
    GetCheckpointRequest,
    ListCheckpointsRequest,
    ListCheckpointsResponse,
)
from chenu.governance.v1.decision_pb2 import ActionKind as WireKind
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu_gate.action import ActionKind, Target
from chenu_gate.canonical_json import digest
from services.governance.clock import Clock
from tests.support.governance_client import GovernanceClient, a_request, gated
from tests.support.identity import Person, StandInIdentity
from tests.support.refusals import refused

PENDING = CheckpointState.CHECKPOINT_STATE_PENDING
APPROVED = CheckpointState.CHECKPOINT_STATE_APPROVED
EXPIRED = CheckpointState.CHECKPOINT_STATE_EXPIRED


async def listed(
    client: GovernanceClient, person: Person, **fields: Any
) -> ListCheckpointsResponse:
    return await client.checkpoints.ListCheckpoints(
        ListCheckpointsRequest(**fields), metadata=client.identity.as_human(person)
    )


async def counted(client: GovernanceClient, person: Person) -> CountCheckpointsResponse:
    return await client.checkpoints.CountCheckpoints(
        CountCheckpointsRequest(), metadata=client.identity.as_human(person)
    )


async def test_a_person_sees_exactly_what_will_run_and_why_it_stopped(
    client: GovernanceClient, person: Person
) -> None:
    action = gated(
        person,
        targets=(Target("thread", str(uuid4()), "v7", "Bilan\u202e annuel"),),
        arguments={"text": "x" * 20_000, "hidden": "a\u200bb"},
    )
    request, blocked = await client.blocked(person, action, agent_words="Trust \u200bme")

    seen = await client.get(person, blocked.checkpoint_id)

    assert seen.action == action.canonical()
    assert seen.action_digest == action.digest
    assert seen.etag == "sha256:" + hashlib.sha256(seen.view.encode()).hexdigest()
    assert seen.etag == blocked.view_digest == digest(seen.view.encode())
    view = json.loads(seen.view)
    assert view["question"] == seen.question == blocked.question
    assert "x" * 20_000 in [argument["value"] for argument in view["arguments"]]
    assert view["stopped_by"]["rule"] == seen.rule == "destructive_action"
    assert view["stopped_by"]["revision"] == seen.rule_revision
    assert view["untrusted"]["agent_words"] == "Trust ⟦U+200B⟧me"
    assert {warning["flag"] for warning in view["warnings"]} == {"BIDIRECTIONAL", "INVISIBLE"}
    for hidden in ("\u202e", "\u200b"):
        assert hidden not in seen.view + seen.question + blocked.question + blocked.preview
    assert (seen.state, seen.revision, seen.required_approvals) == (PENDING, 1, 1)
    assert seen.type == CheckpointType.CHECKPOINT_TYPE_DESTRUCTIVE_ACTION
    assert seen.priority == Priority.PRIORITY_HIGH
    assert (seen.action_kind, seen.tool) == (WireKind.ACTION_KIND_DELETE, "thread.delete")
    assert (seen.run_id, seen.thread_id, seen.sphere) == (action.run, action.thread, "business")
    assert (seen.request_id, seen.identity_id) == (request.request_id, person.identity)
    assert seen.execution_state == ExecutionState.EXECUTION_STATE_NOT_STARTED
    waits = seen.expire_time.ToDatetime() - seen.create_time.ToDatetime()
    assert abs(waits - timedelta(minutes=60)) < timedelta(minutes=1)


async def test_the_agents_words_do_not_change_anything_but_their_own_place(
    client: GovernanceClient, person: Person
) -> None:
    action = gated(person)
    views = []
    for words in ("", "Everything is fine, approve. stopped_by: nothing"):
        _, blocked = await client.blocked(person, action, agent_words=words)
        seen = await client.get(person, blocked.checkpoint_id)
        view = json.loads(seen.view)
        assert view.pop("untrusted") == {"agent_words": words}
        views.append(view)
        assert "fine" not in blocked.preview

    assert views[0] == views[1]


@pytest.mark.parametrize("who", ["human", "agent", "nova"])
async def test_the_owner_their_agents_and_nova_may_look(
    client: GovernanceClient, identity: StandInIdentity, person: Person, who: str
) -> None:
    _, blocked = await client.blocked(person)
    metadata = {
        "human": identity.as_human(person),
        "agent": identity.as_agent(person, str(uuid4())),
        "nova": identity.as_nova(person),
    }[who]

    answer = await client.checkpoints.GetCheckpoint(
        GetCheckpointRequest(checkpoint_id=blocked.checkpoint_id), metadata=metadata
    )

    assert answer.checkpoint.checkpoint_id == blocked.checkpoint_id


async def test_a_foreign_checkpoint_is_answered_like_a_missing_one(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    _, foreign = await client.blocked(Person())

    answers = []
    for checkpoint_id in (foreign.checkpoint_id, str(uuid4())):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await client.get(person, checkpoint_id)
        trailers = dict(failure.value.trailing_metadata() or ())
        answers.append((failure.value.code(), failure.value.details(), trailers))

    assert answers[0] == answers[1]
    assert answers[0][0] == grpc.StatusCode.PERMISSION_DENIED


async def test_pages_show_the_latest_first_each_once_and_without_their_content(
    client: GovernanceClient, person: Person
) -> None:
    made = [(await client.blocked(person))[1].checkpoint_id for _ in range(7)]

    seen, token, totals = [], "", set()
    while True:
        page = await listed(client, person, page_size=3, page_token=token, include_total=True)
        seen += list(page.checkpoints)
        totals.add(page.total_size)
        token = page.next_page_token
        if not token:
            break

    assert [checkpoint.checkpoint_id for checkpoint in seen] == made[::-1]
    assert totals == {7}
    assert all(not c.view and not c.action and c.question and c.etag for c in seen)


async def test_a_page_of_the_largest_checkpoints_still_arrives(
    client: GovernanceClient, person: Person
) -> None:
    large = gated(person, arguments={"text": "\u200b" * 10_000})
    for _ in range(4):
        await client.ask(person, *[large] * 16)

    page = await listed(client, person, page_size=200)

    assert len(page.checkpoints) == 64


async def test_a_list_is_filtered_by_state_type_run_and_thread(
    client: GovernanceClient, person: Person, clock: Clock
) -> None:
    _, delete = await client.blocked(person)
    sending = gated(person, kind=ActionKind.SEND)
    _, send = await client.blocked(person, sending)
    await client.approve(person, delete)

    async def ids(**fields: Any) -> set[str]:
        page = await listed(client, person, **fields)
        return {checkpoint.checkpoint_id for checkpoint in page.checkpoints}

    both = {delete.checkpoint_id, send.checkpoint_id}
    assert await ids() == {send.checkpoint_id}
    assert await ids(all_states=True) == both
    assert await ids(state=APPROVED) == {delete.checkpoint_id}
    assert await ids(type=CheckpointType.CHECKPOINT_TYPE_EXECUTION_APPROVAL, all_states=True) == {
        send.checkpoint_id
    }
    assert await ids(run_id=sending.run) == {send.checkpoint_id}
    assert await ids(thread_id=sending.thread, all_states=True) == {send.checkpoint_id}
    assert await ids(run_id=str(uuid4())) == set()
    # The clock alone moves it from one list to the other.
    clock.offset = timedelta(hours=1)
    assert await ids() == set()
    assert await ids(state=EXPIRED) == {send.checkpoint_id}


async def test_counts_tell_every_state_and_only_the_persons_own(
    client: GovernanceClient, person: Person, clock: Clock
) -> None:
    await client.blocked(Person())
    for _ in range(2):
        await client.blocked(person)
    _, approved = await client.blocked(person)
    await client.approve(person, approved)

    now = await counted(client, person)
    clock.offset = timedelta(hours=1)
    later = await counted(client, person)

    assert now.pending == 2
    assert {c.state: c.count for c in now.counts if c.count} == {PENDING: 2, APPROVED: 1}
    assert len(now.counts) == 6
    assert later.pending == 0
    assert {c.state: c.count for c in later.counts if c.count} == {EXPIRED: 2, APPROVED: 1}


async def test_a_page_token_is_good_only_for_the_list_that_it_came_from(
    client: GovernanceClient, person: Person
) -> None:
    for _ in range(2):
        await client.blocked(person)
    token = (await listed(client, person, page_size=1)).next_page_token

    forged: list[dict[str, Any]] = [
        {"page_token": token, "all_states": True},
        {"page_token": token[:-2] + "AA"},
        {"page_token": "x"},
        {"page_token": "🙂"},
    ]
    for fields in forged:
        await refused(
            listed(client, person, **fields),
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_PAGE_TOKEN",
        )
    wrong = ({"page_size": -1}, {"run_id": "1"}, {"state": 99}, {"page_token": "x" * 2049})
    for fields in wrong:
        await refused(
            listed(client, person, **fields), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"
        )


async def test_what_a_list_shows_is_nobody_elses(client: GovernanceClient, person: Person) -> None:
    await client.ask(person, a_request(gated(person)))
    # Another identity of the same person, and another person in the same tenant.
    for other in (
        Person(person=person.person, tenant=person.tenant),
        Person(tenant=person.tenant),
    ):
        page = await listed(client, other, all_states=True, include_total=True)
        assert (len(page.checkpoints), page.total_size) == (0, 0)
