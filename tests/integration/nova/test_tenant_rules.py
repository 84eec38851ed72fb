"""Rules of a tenant bind what Nova does: promoted by people, and what they stop stops a run."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from uuid import uuid4

import pytest

from chenu.courier.v1.endpoint_service_pb2 import CreateEndpointRequest
from chenu.governance.v1.checkpoint_pb2 import CheckpointType
from chenu.governance.v1.rule_pb2 import Counter, Rule
from chenu.governance.v1.rule_service_pb2 import (
    CreateRuleRevisionRequest,
    ListRulesRequest,
    PromoteRulesRequest,
    PromoteRulesResponse,
)
from chenu.governance.v1.rule_service_pb2_grpc import RuleServiceStub
from chenu.identity.v1.identity_pb2 import IdentityType
from chenu.identity.v1.identity_service_pb2 import CreateIdentityRequest
from chenu.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from chenu.nova.v1.run_pb2 import RunState
from chenu_gate.action import Target
from services.governance.clock import Clock
from tests.laws.hands import Hands, use
from tests.laws.reviewing import join
from tests.laws.stories import blocked
from tests.support.fleet import Client, Fleet
from tests.support.receiver import Receiver
from tests.support.rules import a_counter, a_document, a_rule
from tests.support.waiting import soon

WATCHED = a_rule("watched", "checkpoint", kinds=["ACTION_KIND_CREATE"])
DONE = RunState.RUN_STATE_SUCCEEDED


@pytest.fixture
def clock(fleet: Fleet) -> Iterator[Clock]:
    """Governance's clock; it is set back after the test."""
    yield fleet.clock
    fleet.clock.offset = timedelta(0)


@pytest.fixture(scope="module")
def hands(fleet: Fleet, fleet_environment: Mapping[str, str]) -> Hands:
    return Hands(fleet, fleet_environment)


def rules(me: Client) -> RuleServiceStub:
    return RuleServiceStub(me.fleet.channel("governance"))


async def ask_for(me: Client, *parts: Rule | Counter) -> PromoteRulesResponse:
    """Ask for these rules to hold; for none but the built-in ones without any."""
    revision = ""
    if parts:
        request = CreateRuleRevisionRequest(document=a_document(*parts))
        made = await rules(me).CreateRuleRevision(request, metadata=me.me)
        revision = made.revision.revision
    answer: PromoteRulesResponse = await rules(me).PromoteRules(
        PromoteRulesRequest(revision=revision, request_id=str(uuid4())), metadata=me.me
    )
    return answer


async def held(me: Client, asked: PromoteRulesResponse) -> None:
    """Wait until what was asked for holds."""
    wanted = asked.replay.revision

    async def holds() -> bool:
        told = await rules(me).ListRules(ListRulesRequest(), metadata=me.me)
        return told.revision == wanted

    await soon(holds, "the rules hold")


async def create(me: Client) -> str:
    """Have Nova found a thread; how the run stands, in a word."""
    run = await me.begin(f"Create a thread called “{uuid4().hex[:8]}”")

    async def ended() -> str:
        state = RunState.Name((await me.run(run.run_id)).state).removeprefix("RUN_STATE_")
        return "" if state in {"PENDING", "RUNNING"} else state

    return await soon(ended, "the run rests")


async def test_rules_that_two_owners_agree_on_bind_runs_and_two_take_them_back(me: Client) -> None:
    bea = await join(me, "owner")
    assert await create(me) == "SUCCEEDED"
    tighter = await ask_for(me, WATCHED)
    # The replay shows that nothing would have been stopped less: one of them is enough.
    assert (tighter.replay.tightened, tighter.required_approvals) == (1, 1)
    await me.approve(tighter.verdict.checkpoint.checkpoint_id)
    await held(me, tighter)
    block = await blocked(me, "Create a thread called “Watched”")
    checkpoint = await me.checkpoint(block.checkpoints[0].checkpoint_id)
    assert (checkpoint.rule, checkpoint.rule_revision) == ("watched", tighter.replay.revision)
    await me.approve(checkpoint.checkpoint_id)
    assert (await me.go_on(block.run_id)).state == DONE

    looser = await ask_for(me)
    assert (looser.replay.widened, looser.required_approvals) == (1, 2)
    await me.approve(looser.verdict.checkpoint.checkpoint_id)
    assert await create(me) == "BLOCKED"
    await bea.approve(looser.verdict.checkpoint.checkpoint_id)
    await held(me, looser)
    assert await create(me) == "SUCCEEDED"


async def test_one_owner_alone_loosens_after_the_delay_and_not_before(
    me: Client, clock: Clock
) -> None:
    tighter = await ask_for(me, WATCHED)
    await me.approve(tighter.verdict.checkpoint.checkpoint_id)
    await held(me, tighter)
    assert await create(me) == "BLOCKED"

    looser = await ask_for(me)
    assert looser.required_approvals == 1
    await me.approve(looser.verdict.checkpoint.checkpoint_id)
    for passed in (0, 4):
        clock.offset = timedelta(minutes=passed)
        assert await create(me) == "BLOCKED"
    clock.offset = timedelta(minutes=5, seconds=2)
    await held(me, looser)
    assert await create(me) == "SUCCEEDED"


async def test_what_a_tenant_calls_access_to_data_waits_as_that(me: Client) -> None:
    data_access = CheckpointType.CHECKPOINT_TYPE_DATA_ACCESS
    kinds = ["ACTION_KIND_SEARCH"]
    asked = await ask_for(
        me, a_rule("files", "checkpoint", kinds=kinds, checkpoint_type=data_access)
    )
    await me.approve(asked.verdict.checkpoint.checkpoint_id)
    await held(me, asked)
    block = await blocked(me, "Search for threads about “Rent”")
    checkpoint = await me.checkpoint(block.checkpoints[0].checkpoint_id)
    assert checkpoint.type == data_access
    await me.approve(checkpoint.checkpoint_id)
    assert (await me.go_on(block.run_id)).state == DONE


async def test_an_export_is_access_to_data_for_everybody_and_gives_the_thread_once_approved(
    me: Client,
) -> None:
    title = f"Deeds {uuid4().hex[:8]}"
    thread_id = await me.new_thread(title)
    block = await blocked(me, f"Export the thread “{title}”")
    checkpoint = await me.checkpoint(block.checkpoints[0].checkpoint_id)
    assert checkpoint.type == CheckpointType.CHECKPOINT_TYPE_DATA_ACCESS
    assert checkpoint.rule == "data_export"
    await me.approve(checkpoint.checkpoint_id)
    run = await me.go_on(block.run_id)
    assert run.state == DONE
    document = json.loads(run.actions[0].result)["document"]
    assert (document["thread_id"], document["title"]) == (thread_id, title)


async def test_between_two_identities_of_one_person_it_waits_between_two_people_it_is_refused(
    me: Client, hands: Hands
) -> None:
    shop = await IdentityServiceStub(me.fleet.channel("identity")).CreateIdentity(
        CreateIdentityRequest(type=IdentityType.IDENTITY_TYPE_ENTERPRISE, display_name="Shop"),
        metadata=me.me,
    )
    bea = await join(me, "owner")
    found = {}
    for whose, identity in (("mine", shop.identity.identity_id), ("hers", bea.identity_id)):
        verdict = await hands.ask(
            me, use(me, "thread.search", Target("identity", identity), query="x")
        )
        found[whose] = (verdict.decision.rule, verdict.HasField("checkpoint"))
        if verdict.HasField("checkpoint"):
            checkpoint = await me.checkpoint(verdict.checkpoint.checkpoint_id)
            assert checkpoint.type == CheckpointType.CHECKPOINT_TYPE_IDENTITY_BOUNDARY
    assert found == {"mine": ("identity_crossing", True), "hers": ("identity_boundary", False)}


async def test_a_run_that_has_read_needs_two_before_it_sends(me: Client) -> None:
    """Read, then send: the reading is done in one round, the sending planned in the next."""
    await join(me, "owner")
    owners = {"stages": [{"required": 2, "approvers": {"roles": ["owner"]}}]}
    asked = await ask_for(
        me,
        a_counter("readings", per="run", kinds=["ACTION_KIND_SEARCH"]),
        a_rule(
            "read_then_send", "checkpoint", "counters.readings > 0", kinds=["ACTION_KIND_SEND"],
            priority=600, approval=owners,
        ),
    )  # fmt: skip
    await me.approve(asked.verdict.checkpoint.checkpoint_id)
    await held(me, asked)
    read = {"name": "thread_search", "input": {"query": "Rent"}}
    send = {"name": "webhook_send", "input": {"endpoint": "Alerts", "payload": {"text": "x"}}}
    last = {"tools": [send], "finish": True}
    async with Receiver() as outside:
        request = CreateEndpointRequest(
            name="Alerts", url=outside.url("/status/200"), request_id=str(uuid4())
        )
        await me.endpoints.CreateEndpoint(request, metadata=me.me)
        found = []
        for plan in ([last], [{"tools": [read]}, last]):
            block = await blocked(me, f"Send it\n#simulate: {json.dumps(plan)}")
            checkpoint = await me.checkpoint(block.checkpoints[0].checkpoint_id)
            found.append((checkpoint.rule, checkpoint.required_approvals))
    assert found == [("external_communication", 1), ("read_then_send", 2)]
