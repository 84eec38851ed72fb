"""Law 7: every mutation leaves its event in its own transaction; both are there, or neither."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from chenu.events.v1.method_policy_pb2 import AuditMode
from tests.laws.changes.every import CHANGES
from tests.laws.changes.readings import READINGS
from tests.laws.changes.scene import Prepare, Scene
from tests.laws.hands import Hands, person_of
from tests.support.descriptors import hosts, methods, policy_of
from tests.support.fleet import Client
from tests.support.receiver import Receiver

RECORDING = {
    AuditMode.AUDIT_MODE_CHANGE,
    AuditMode.AUDIT_MODE_EFFECT,
    AuditMode.AUDIT_MODE_SENSITIVE_READ,
}
# They leave an event and no other row: they hand out, read or remove something.
EVENT_ALONE = {
    "AuthService.SwitchIdentity", "TokenService.IssueVoteToken", "TokenService.IssueAgentToken",
    "EndpointService.DeleteEndpoint", "ChannelService.DeleteChannel",
    "EntryService.GetEntry", "EntryService.ListEntries",
    "EntryService.WatchEntries", "EntryService.GetStatistics", "EntryService.GetViolationReport",
    "ExportService.ExportEntries", "EntryService.ListSystemEntries",
    "EvidenceService.ExportEvidence", "TileService.GetEntryBundle", "SubjectService.EraseSubject",
    "TokenService.RenewDelegation", "ChannelGrantService.RedeemBallot",
    "TokenService.IssueStreamTicket", "TokenService.RedeemStreamTicket",
    "InteractionService.ExplainInteraction",
} | {rpc for _, rpc in READINGS}  # fmt: skip
EFFECTS = {
    ("courier", "ExecutorService.ExecuteAction"), ("audit", "RetentionService.EraseSubject"),
}  # fmt: skip
# A call leaves one record; these do several things, and leave one for each.
SEVERAL = {
    "AuthService.Register": {
        "tenant.created", "user.registered", "identity.created", "session.started",
    },
    "AuthorizationService.AuthorizeActions": {"decision.made", "checkpoint.created"},
    "CheckpointService.ApproveCheckpoint": {"vote.cast", "checkpoint.approved"},
    "CheckpointService.ResolveCheckpoint": {"vote.cast", "checkpoint.approved"},
    "CheckpointService.BatchDecideCheckpoints": {"vote.cast", "checkpoint.approved"},
    "CheckpointService.RejectCheckpoint": {"vote.cast", "checkpoint.rejected"},
    "RuleService.PromoteRules": {"decision.made", "checkpoint.created"},
    "FreezeService.LiftFreeze": {"decision.made", "checkpoint.created"},
    "GrantService.CreateGrant": {"decision.made", "checkpoint.created"},
    "DeputyService.AppointDeputy": {"decision.made", "checkpoint.created"},
}  # fmt: skip
# The run's worker goes on under the call that woke it.
WORKERS_OWN = {"run.resumed", "run.blocked", "run.ended"}
# What the machinery writes by itself, whoever calls.
NOT_OURS = {
    "outbox", "bundles", "relay_state", "receipts", "alembic_version", "workers", "attempts",
    "spent_assertions", "entries", "log", "tiles", "tree_heads", "sources", "quarantine",
    "streams", "progress", "prunings", "resolutions", "notices",
}  # fmt: skip
PATHS = {
    f"{m.containing_service.name}.{m.name}": f"/{m.containing_service.full_name}/{m.name}"
    for m in methods()
}
CUT = """
    CREATE FUNCTION {service}.cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); RETURN NULL;
    END $$;
    CREATE TRIGGER cut AFTER INSERT ON {service}.outbox FOR EACH ROW
    WHEN (position(convert_to('"method":"{method}"', 'UTF8') IN NEW.event) > 0)
    EXECUTE FUNCTION {service}.cut()"""
MEND = "DROP TRIGGER cut ON {service}.outbox; DROP FUNCTION {service}.cut()"


def test_every_rpc_that_changes_something_is_tried_here() -> None:
    recording = {
        (service, f"{m.containing_service.name}.{m.name}")
        for m in methods()
        for service in hosts(m)
        if policy_of(m).audit in RECORDING
    }
    assert recording == set(CHANGES)


@pytest.fixture
async def scene(me: Client, hands: Hands, superuser: Any) -> AsyncIterator[Scene]:
    async with Receiver() as outside:
        yield Scene(me, hands, superuser, outside)


@asynccontextmanager
async def cut(superuser: Any, service: str, method: str) -> AsyncIterator[None]:
    """The database kills every transaction that has just written an event of this RPC."""
    await superuser.execute(CUT.format(service=service, method=method))
    try:
        yield
    finally:
        await superuser.execute(MEND.format(service=service))


async def tables(scene: Scene, service: str) -> list[str]:
    found = await scene.superuser.fetch(
        "SELECT tablename AS name FROM pg_tables WHERE schemaname = $1", service
    )
    return [table["name"] for table in found if table["name"] not in NOT_OURS]


async def rows(scene: Scene, service: str) -> list[Any]:
    """A digest of all that the service keeps of the person, table by table."""
    person = person_of(scene.me)
    found: list[Any] = await scene.superuser.fetch(
        " UNION ALL ".join(
            # Of this person only: others' outcomes are reported whenever they like.
            f"SELECT '{name}', count(*) FILTER (WHERE t::text ~ $1),"
            " md5(coalesce(string_agg(t::text, '|' ORDER BY t::text)"
            f" FILTER (WHERE t::text ~ $1), '')) FROM {service}.{name} t"
            for name in await tables(scene, service)
        )
        or "SELECT 'nothing but what is read', 0, $1::text",
        f"{person.tenant}|{person.identity}|{person.person}",
    )
    return found


async def events(scene: Scene, service: str, method: str) -> list[Any]:
    """The events of this RPC, with the transactions that wrote them.

    Denials that others have heap up are told later, at any moment.
    """
    found: list[Any] = await scene.superuser.fetch(
        "SELECT seq, xid::text::bigint AS xid, convert_from(event, 'UTF8') AS event"
        f" FROM {service}.outbox"
        " WHERE position(convert_to($1, 'UTF8') IN event) > 0"
        " AND NOT (position('call.denied'::bytea IN event) > 0"
        "  AND position(convert_to($2, 'UTF8') IN event) = 0) ORDER BY seq",
        f'"method":"{method}"',
        person_of(scene.me).person,
    )
    return found


def assert_each_thing_is_told_once(service: str, rpc: str, told: list[dict[str, Any]]) -> None:
    """One record for a call, or one for each thing that it does; none of them twice."""
    own = [(e["type"].removeprefix(f"chenu.{service}."), e["subject"], e["data"]) for e in told]
    own = [one for one in own if one[0] not in WORKERS_OWN]
    assert len({one[:2] for one in own}) == len(own), "something is told twice"
    phases = [data["phase"] for _, _, data in own]
    if (service, rpc) in EFFECTS:  # outside the transaction
        assert phases == ["PHASE_INTENT", "PHASE_OUTCOME"]
        assert len({subject for _, subject, _ in own}) == 1, "intent and outcome belong together"
    elif rpc in SEVERAL:
        assert {type_ for type_, _, _ in own} == SEVERAL[rpc]
    else:
        assert len(own) == 1, [one[0] for one in own]
    for _, _, data in own:
        assert data["method"] == PATHS[rpc]
        assert all((data["actor"]["kind"], data["request_id"], data["outcome"]))


async def rows_of(scene: Scene, service: str, transaction: int) -> int:
    """How many rows beside its events a transaction has left."""
    counts = " + ".join(
        f"(SELECT count(*) FROM {service}.{name} WHERE xmin::text::bigint = $1)"
        for name in await tables(scene, service)
    )
    found: int = await scene.superuser.fetchval(f"SELECT {counts}", transaction % 2**32)
    return found


@pytest.mark.parametrize(
    ("service", "rpc", "prepare"),
    [(service, rpc, prepare) for (service, rpc), prepare in CHANGES.items()],
    ids=[f"{service}-{rpc}" for service, rpc in CHANGES],
)
async def test_a_change_and_its_event_are_both_there_or_neither(
    scene: Scene, service: str, rpc: str, prepare: Prepare
) -> None:
    call, method = await prepare(scene), PATHS[rpc]
    before, events_before = await rows(scene, service), await events(scene, service, method)
    async with cut(scene.superuser, service, method):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call()
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert await events(scene, service, method) == events_before
    assert await rows(scene, service) == before
    await call()
    new = (await events(scene, service, method))[len(events_before) :]
    assert new
    assert_each_thing_is_told_once(service, rpc, [json.loads(event["event"]) for event in new])
    if rpc not in EVENT_ALONE:
        # Of what was changed twice, as by an effect that began and ended, the last change shows;
        # where that is another's, as of a worker that took over a run, only that it is changed.
        left = [await rows_of(scene, service, event["xid"]) for event in new]
        assert any(left) or await rows(scene, service) != before
