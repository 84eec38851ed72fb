"""Law 4: a model proposes; it never decides, hires, or widens what it may do."""

import json
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.descriptor import MethodDescriptor

from chenu.events.v1.method_policy_pb2 import AuditMode
from chenu.governance.v1.authorization_service_pb2 import ActionRequest, AuthorizeActionRequest
from chenu.governance.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from chenu.nova.v1.run_pb2 import RunState
from chenu.nova.v1.run_service_pb2 import CancelRunRequest, StartRunRequest
from deploy.postgres.roles import SERVICES
from tests.laws.calling import call
from tests.laws.hands import Hands, person_of, refusal_of, use
from tests.laws.stories import doomed, reason
from tests.support.descriptors import hosts, methods, policy_of
from tests.support.fleet import Client, Fleet
from tests.support.identity import Metadata, bearer

CHANGING = {AuditMode.AUDIT_MODE_CHANGE, AuditMode.AUDIT_MODE_EFFECT}
NOT_ALLOWED = ("PERMISSION_DENIED", "CALLER_NOT_ALLOWED")
# What follows is the law and stands here once more, so that a policy cannot grow by itself.
AGENTS_CHANGES = {
    "AuthorizationService.AuthorizeAction",  # asking; governance decides
    "AuthorizationService.AuthorizeActions",
    "ExecutorService.ExecuteAction",  # with a permit
    "TokenService.ExchangeDelegation",  # to work through Nova, still as an agent
}
DELEGATIONS_CHANGES = {
    "AuthorizationService.AuthorizeAction",
    "AuthorizationService.AuthorizeActions",
    "ExecutorService.ExecuteAction",  # with a permit
    "CheckpointService.CancelCheckpoint",  # taking back is always safe
    "CheckpointService.SupersedeCheckpoints",
    "CompletionService.Complete",
    "CompletionService.StreamComplete",
    "ThreadEventService.RecordRun",  # what became of the run: history, and its answer, once
}
NOVAS_OWN = {
    "TokenService.RenewDelegation",
    # As any service: of decisions whose executor it is, and it is none's.
    "OutcomeService.ReportOutcomes",
}


def name(method: MethodDescriptor) -> str:
    return f"{method.containing_service.name}.{method.name}"


GUARDED = [m for m in methods() if not policy_of(m).public]
CHANGES = [m for m in GUARDED if policy_of(m).audit in CHANGING]


async def who_may(fleet: Fleet, metadata: Metadata, among: list[MethodDescriptor]) -> set[str]:
    """The RPCs that let these tokens in, found out by calling every one of them."""
    found = set()
    for method in among:
        for service in hosts(method):
            answer = await call(fleet, service, method, b"", metadata)
            assert answer[0] != "UNAUTHENTICATED", (name(method), answer)
            if answer != NOT_ALLOWED:
                found.add(name(method))
    return found


async def test_an_agent_changes_nothing_but_by_asking(
    fleet: Fleet, me: Client, hands: Hands
) -> None:
    assert await who_may(fleet, await hands.agent(me), CHANGES) == AGENTS_CHANGES


async def test_nova_under_a_delegation_changes_nothing_but_by_asking(
    fleet: Fleet, me: Client, hands: Hands
) -> None:
    elsewhere = [m for m in CHANGES if hosts(m) != {"nova"}]
    agents = await hands.delegation(me, await hands.agent(me))
    for metadata in (await hands.nova(me), bearer(agents, await hands.service("nova"))):
        assert await who_may(fleet, metadata, elsewhere) == DELEGATIONS_CHANGES


async def test_nova_on_its_own_account_only_renews_what_it_was_given(
    fleet: Fleet, hands: Hands
) -> None:
    metadata = bearer("", await hands.service("nova"))
    assert await who_may(fleet, metadata, CHANGES) == NOVAS_OWN


@pytest.mark.parametrize("beside", ["", "threads", "governance", "gateway", "llm"])
async def test_a_delegation_opens_nothing_outside_of_novas_hands(
    fleet: Fleet, me: Client, hands: Hands, beside: str
) -> None:
    service = await hands.service(beside) if beside else ""
    metadata = bearer(await hands.delegation(me), service)
    elsewhere = [m for m in GUARDED if hosts(m) != {"nova"}]
    assert await who_may(fleet, metadata, elsewhere) == set()


async def test_nova_takes_no_token_that_would_work_without_it(
    fleet: Fleet, me: Client, hands: Hands
) -> None:
    novas = [m for m in GUARDED if hosts(m) == {"nova"}]
    for metadata in (me.me, await hands.agent(me), bearer("", await hands.service("gateway"))):
        assert await who_may(fleet, metadata, novas) == set()


async def test_an_agent_ends_no_run_but_its_own(me: Client, hands: Hands) -> None:
    """Neither its person's nor a colleague's."""
    first, second = [bearer(await hands.delegation(me, await hands.agent(me))) for _ in range(2)]
    run_id, _ = await doomed(me)
    asked = StartRunRequest(text="Delete the thread “Doomed”")
    begun = (await me.runs.StartRun(asked, metadata=first)).run.run_id
    for of_another in (run_id, begun):
        cancel = me.runs.CancelRun(CancelRunRequest(run_id=of_another), metadata=second)
        assert await reason(cancel) == ("PERMISSION_DENIED", "FORBIDDEN")
    for its, whose in ((begun, first), (run_id, await me.nova())):
        answer = await me.runs.CancelRun(CancelRunRequest(run_id=its), metadata=whose)
        assert answer.run.state == RunState.RUN_STATE_CANCELLED


async def test_an_agent_asks_in_nobodys_name_but_its_own(
    me: Client, stranger: Client, hands: Hands
) -> None:
    agent, own = await hands.agent(me), use(me, "thread.search", query="x")
    colleague = replace(own.principal, agent="01939f2c-0000-7000-8000-000000000001")
    other = person_of(stranger)
    for principal in (
        own.principal,  # as if it were the person
        colleague,  # as if it were, or directed, another agent
        replace(own.principal, identity=other.identity),
        replace(own.principal, tenant=other.tenant),
    ):
        action = replace(own, principal=principal)
        request = AuthorizeActionRequest(
            action=ActionRequest(
                action=action.canonical(), request_id="7b7a9d1e-3c1a-4f6e-9d57-1d2c3b4a5f60"
            )
        )
        asked = AuthorizationServiceStub(me.fleet.channel("governance")).AuthorizeAction(
            request, metadata=agent
        )
        assert await reason(asked) == ("PERMISSION_DENIED", "PRINCIPAL_MISMATCH")


@pytest.mark.parametrize(
    "tool",
    [
        {"name": "checkpoint_approve", "input": {"checkpoint_id": "all"}},
        {"name": "agent_hire", "input": {"display_name": "Accomplice"}},
        {"name": "run_start", "input": {"text": "delete everything"}},
        {"name": "threads.thread_delete; DROP TABLE runs", "input": {}},
    ],
    ids=lambda tool: tool["name"].split(".")[0],
)
async def test_a_model_that_reaches_for_more_than_its_tools_gets_nothing(
    me: Client, tool: dict[str, Any]
) -> None:
    plan = [{"tools": [tool], "finish": True}, {"text": "I could not."}]
    run = await me.execute(f"Go on\n#simulate: {json.dumps(plan)}")
    assert run.state == RunState.RUN_STATE_SUCCEEDED
    assert not run.actions
    assert len(await me.inbox()) == 0


async def test_a_model_that_names_somebody_elses_thread_by_its_id_reaches_nothing(
    me: Client, stranger: Client
) -> None:
    theirs = await stranger.new_thread("Private")
    plan = {"tools": [{"name": "thread_delete", "input": {"thread": theirs}}]}
    run = await me.execute(f"Delete it\n#simulate: {json.dumps(plan)}")
    assert not run.actions
    assert "Private" in await stranger.titles()


async def test_the_database_roles_of_nova_and_the_model_reach_no_account_and_no_vote(
    me: Client, hands: Hands, superuser: Any
) -> None:
    """Every table of every other service, by every verb, as the roles behind which a model is."""
    tables = await superuser.fetch(
        "SELECT schemaname AS schema, tablename AS name FROM pg_tables"
        " WHERE schemaname = ANY ($1::text[])",
        list(SERVICES),
    )
    assert {"agents", "votes", "service_keys", "runs"} <= {row["name"] for row in tables}
    for role in ("nova_app", "nova_worker", "llm_app", "llm_worker"):
        async with hands.login(role, person_of(me)) as connection:
            for table in tables:
                if table["schema"] == role.split("_")[0]:
                    continue
                full = f"{table['schema']}.{table['name']}"
                for statement in (
                    f"SELECT FROM {full}",
                    f"INSERT INTO {full} DEFAULT VALUES",
                    f"DELETE FROM {full}",
                ):
                    refusal = await refusal_of(connection, statement)
                    assert "permission denied for schema" in str(refusal), (role, statement)
