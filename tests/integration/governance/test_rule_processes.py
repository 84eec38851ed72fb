"""Two processes of governance over one database: neither knows what the other has heard."""

import asyncio
import json
from collections import Counter as Tally
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu.governance.v1.rule_pb2 import RuleDocument
from chenu.governance.v1.rule_service_pb2 import (
    CreateRuleRevisionRequest,
    ReplayDecisionsRequest,
    SetRuleLabelRequest,
)
from kernel.caller import Caller
from kernel.context import background
from kernel.service import Program, Service
from kernel.settings import SharedSettings
from services.governance.__main__ import assemble
from services.governance.policy import rule_language
from services.governance.policy.built_in_rules import BUILT_IN
from services.governance.policy.rule_book import RuleBook
from services.governance.policy.rules import RuleSet, words_of
from services.governance.settings import GovernanceSettings
from tests.integration.governance.conftest import Events
from tests.integration.governance.test_evidence import export, line
from tests.integration.governance.test_rule_limits import LIMIT, SPENT, spend
from tests.support.audit import StandInAudit
from tests.support.database_urls import DatabaseUrls
from tests.support.governance_client import GovernanceClient, allowed
from tests.support.identity import Person, StandInIdentity
from tests.support.refusals import refused
from tests.support.rules import a_document, a_rule, applied, ask_for, make_live, put_in
from tests.support.running import running
from tests.support.waiting import soon

PERMITTED = VerdictState.VERDICT_STATE_PERMITTED
DENIED = VerdictState.VERDICT_STATE_DENIED


@pytest.fixture(scope="module")
async def other(
    service: Service[GovernanceSettings],
    shared: SharedSettings,
    urls: DatabaseUrls,
    identity: StandInIdentity,
) -> AsyncIterator[GovernanceClient]:
    program = Program("governance", GovernanceSettings, assemble)
    async with (
        running(program, shared, urls, sweep_seconds=3600) as started,
        grpc.aio.insecure_channel(f"127.0.0.1:{started.port}") as channel,
    ):
        yield GovernanceClient(channel, identity)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[RuleBook, str]]:
    """The revisions that were compiled, as often as they were, and whose."""
    found: list[tuple[RuleBook, str]] = []
    compile_ = RuleBook.compiled

    def noted(book: RuleBook, document: RuleDocument, *, accepted: bool = False) -> RuleSet:
        rules = compile_(book, document, accepted=accepted)
        found.append((book, rules.revision))
        return rules

    monkeypatch.setattr(RuleBook, "compiled", noted)
    return found


async def test_a_tenant_is_judged_by_what_was_promoted_though_its_condition_is_accepted_no_more(
    client: GovernanceClient,
    person: Person,
    shared: SharedSettings,
    urls: DatabaseUrls,
    identity: StandInIdentity,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grows = "[action.tool].exists(name, (name + name).size() > 99)"
    with monkeypatch.context() as before:
        before.setattr(rule_language, "puts_together", lambda _: False)
        await make_live(client, person, a_rule("long", "deny", grows))
        (verdict,) = await client.ask(person, allowed(person))
        assert verdict.state == PERMITTED
    async with (
        running(Program("governance", GovernanceSettings, assemble), shared, urls) as later,
        grpc.aio.insecure_channel(f"127.0.0.1:{later.port}") as channel,
    ):
        (verdict,) = await GovernanceClient(channel, identity).ask(person, allowed(person))
        assert (verdict.state, verdict.decision.rule) == (DENIED, "long")


async def test_of_many_who_act_at_once_in_two_processes_nobody_slips_under_the_limit(
    client: GovernanceClient, other: GovernanceClient, person: Person
) -> None:
    await make_live(client, person, SPENT, LIMIT)
    asked = [one.ask(person, spend(person, 30)) for one in (client, other) for _ in range(8)]
    found = Tally(verdict.state for (verdict,) in await asyncio.gather(*asked))
    assert found == {PERMITTED: 3, DENIED: 13}


async def test_a_promotion_holds_at_once_where_nobody_has_heard_of_it(
    client: GovernanceClient, other: GovernanceClient, person: Person
) -> None:
    (before,) = await other.ask(person, allowed(person))
    assert before.state == PERMITTED
    no_search = a_rule("no_search", "deny", kinds=["ACTION_KIND_SEARCH"])
    revision = await make_live(client, person, no_search)
    (after,) = await other.ask(person, allowed(person))
    assert (after.state, after.decision.rule_revision) == (DENIED, revision)


async def test_no_action_is_decided_by_the_rules_of_before_once_others_hold(
    client: GovernanceClient, other: GovernanceClient, person: Person, superuser: Any
) -> None:
    """While actions are asked for without a pause: the commits are in order, not only the asks."""
    stop = asyncio.Event()

    async def keep_asking() -> None:
        while not stop.is_set():
            await asyncio.gather(*(other.ask(person, allowed(person)) for _ in range(4)))

    asking = asyncio.create_task(keep_asking())
    no_search = a_rule("no_search", "deny", kinds=["ACTION_KIND_SEARCH"])
    await make_live(client, person, no_search)
    await other.ask(person, allowed(person))
    stop.set()
    await asking
    late = await superuser.fetchval(
        "SELECT count(*) FROM governance.decisions AS d JOIN governance.rule_labels AS l"
        " ON l.tenant = d.tenant AND l.label = 'live'"
        " WHERE d.tenant = $1 AND d.effect = 'allow' AND d.create_time > l.change_time",
        person.tenant,
    )
    assert late == 0


async def test_a_replay_says_how_many_were_decided_beside_other_built_in_rules(
    client: GovernanceClient, other: GovernanceClient, person: Person
) -> None:
    """As after an upgrade: the other process has the built-in rules of another release."""
    await client.ask(person, allowed(person))
    for _ in range(2):
        await other.ask(person, allowed(person))
    no_search = a_rule("no_search", "deny", kinds=["ACTION_KIND_SEARCH"])
    me = client.identity.as_human(person)
    request = ReplayDecisionsRequest(document=a_document(no_search))
    old = await other.rules.ReplayDecisions(request, metadata=me)
    new = await client.rules.ReplayDecisions(request, metadata=me)
    assert (old.replay.other_built_in, new.replay.other_built_in) == (1, 2)
    beside = [one.recorded_built_in_revision for one in new.replay.decisions]
    assert beside == [old.replay.built_in_revision] * 2 + [new.replay.built_in_revision]
    put_in = await other.rules.CreateRuleRevision(
        CreateRuleRevisionRequest(document=a_document(no_search)), metadata=me
    )
    assert put_in.revision.built_in_revision == old.replay.built_in_revision


async def test_what_may_come_to_hold_is_compiled_everywhere_once_before_anybody_is_judged_by_it(
    client: GovernanceClient,
    other: GovernanceClient,
    person: Person,
    compiled: list[tuple[RuleBook, str]],
) -> None:
    revision = (await put_in(client, person, a_rule("r", "deny", "action.tool == 'x'"))).revision
    compiled.clear()
    asked = await ask_for(client, person, revision)
    await everywhere(compiled, revision)
    await client.approve(person, asked.verdict.checkpoint)
    assert await applied(client, person, asked)
    for one in (client, other):
        await asyncio.gather(*(one.ask(person, allowed(person)) for _ in range(4)))
    assert times(compiled, revision) == 2


async def test_what_is_put_in_the_shadow_is_compiled_everywhere_too(
    client: GovernanceClient,
    other: GovernanceClient,
    person: Person,
    compiled: list[tuple[RuleBook, str]],
) -> None:
    revision = (await put_in(client, person, a_rule("s", "deny", "action.tool == 'y'"))).revision
    compiled.clear()
    await client.rules.SetRuleLabel(
        SetRuleLabelRequest(label="shadow", revision=revision),
        metadata=client.identity.as_human(person),
    )
    await everywhere(compiled, revision)


async def everywhere(compiled: list[tuple[RuleBook, str]], revision: str) -> None:
    """Wait until both processes have compiled it."""

    async def by_both() -> bool:
        return times(compiled, revision) == 2

    await soon(by_both, "both have compiled it")


def times(compiled: list[tuple[RuleBook, str]], revision: str) -> int:
    return [one for _, one in compiled].count(revision)


async def test_what_holds_is_ready_before_anybody_asks_and_many_who_ask_wait_for_one(
    client: GovernanceClient,
    service: Service[GovernanceSettings],
    person: Person,
    compiled: list[tuple[RuleBook, str]],
) -> None:
    revision = await make_live(client, person, a_rule("r", "deny", "action.tool == 'x'"))
    book = RuleBook(service.database)
    caller = Caller.system(tenant=person.tenant)
    with background("rules"):
        await book.warm(service.worker)
        assert book.in_force(person.tenant).live.revision == revision
        fresh = RuleBook(service.database)
        await asyncio.gather(*(fresh.refresh(caller) for _ in range(40)))
    assert [one for book, one in compiled if book is fresh] == [revision]


async def test_an_allowed_action_takes_one_round_trip_whatever_rules_hold(
    client: GovernanceClient,
    service: Service[GovernanceSettings],
    person: Person,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await make_live(client, person, a_rule("no_export", "deny", kinds=["ACTION_KIND_EXPORT"]))
    await client.ask(person, allowed(person))
    trips: list[str] = []
    database = service.database
    for name in ("call", "transaction"):
        made = getattr(database, name)

        def counted(*given: Any, _made: Any = made, _name: str = name) -> Any:
            trips.append(_name)
            return _made(*given)

        monkeypatch.setattr(database, name, counted)
    (verdict,) = await client.ask(person, allowed(person))
    assert verdict.state == PERMITTED
    assert trips == ["call"]


async def test_a_document_that_no_database_holds_is_refused(
    client: GovernanceClient, person: Person
) -> None:
    document = a_document(a_rule("nul", "deny", owner="a\0b"))
    await refused(
        client.rules.CreateRuleRevision(
            CreateRuleRevisionRequest(document=document),
            metadata=client.identity.as_human(person),
        ),
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
    )


async def test_evidence_opens_the_built_in_rules_of_the_release_that_decided(
    client: GovernanceClient,
    other: GovernanceClient,
    person: Person,
    audit: StandInAudit,
    events: Events,
    superuser: Any,
) -> None:
    """It is taken from a process that has other ones."""
    (verdict,) = await other.ask(person, allowed(person))
    decision_id = verdict.decision.decision_id
    (made,) = await events(f"decision/{decision_id}")
    theirs = RuleSet(BUILT_IN)
    kept = "SELECT words FROM governance.built_in_rules WHERE revision = $1"
    await soon(lambda: superuser.fetchval(kept, theirs.revision), "it has put its own down")
    audit.shown = line(made)

    file = await export(client, person, decision_id=decision_id, whole=True)

    audit.shown = b""
    first, second, *_ = file.splitlines()
    (decided,) = json.loads(first)["evidence"]["decisions"]
    assert decided["facts"]["built_in"] == decided["rule_revision"] == theirs.revision
    texts = [one["text"] for one in json.loads(second)["texts"]]
    assert texts.count(words_of(theirs.rules).decode()) == 1
    (told,) = await events(f"rules/{theirs.revision}")
    assert told["type"] == "chenu.governance.built_in_rules.kept"
