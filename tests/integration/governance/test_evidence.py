"""Evidence: nothing leaves before the log has it, and nothing that the log does not show."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import grpc
import pytest

from chenu.governance.v1.evidence_service_pb2 import ExportEvidenceRequest
from chenu_gate.canonical_json import digest
from tests.integration.governance.conftest import Events
from tests.support.audit import StandInAudit
from tests.support.governance_client import GovernanceClient, allowed
from tests.support.identity import Person
from tests.support.refusals import refused
from tests.support.waiting import PATIENCE


@pytest.fixture
def log(audit: StandInAudit) -> Iterator[StandInAudit]:
    yield audit
    audit.takes_in, audit.shown = True, b""


async def export(
    client: GovernanceClient, person: Person, seconds: float = PATIENCE, **wanted: Any
) -> bytes:
    pieces = client.evidence.ExportEvidence(
        ExportEvidenceRequest(**wanted),
        metadata=client.identity.as_human(person),
        timeout=seconds,
    )
    return b"".join([piece.data async for piece in pieces])


def line(event: dict[str, Any]) -> bytes:
    return json.dumps({"index": 1, "record": event}).encode() + b"\n"


async def test_the_export_is_recorded_by_the_digest_of_what_it_says(
    client: GovernanceClient, person: Person, log: StandInAudit, events: Events
) -> None:
    _, checkpoint = await client.blocked(person)
    (made,) = await events(f"checkpoint/{checkpoint.checkpoint_id}")
    decision_id = made["data"]["details"]["decision"]
    (decided,) = await events(f"decision/{decision_id}")
    log.shown = line(decided) + line(made)

    file = await export(client, person, checkpoint_id=checkpoint.checkpoint_id)

    first, _, records = file.partition(b"\n")
    said = json.loads(first)["evidence"]
    assert records == log.shown
    (exported,) = await events(f"evidence/{said['evidence_id']}")
    document = first.removeprefix(b'{"evidence":').removesuffix(b"}")
    assert exported["data"]["details"] == {"document": digest(document)}
    assert exported["data"]["targets"] == [f"decision/{decision_id}"]
    assert f"checkpoint/{checkpoint.checkpoint_id}" in log.asked[-1]


async def test_evidence_that_the_log_does_not_show_all_of_is_none(
    client: GovernanceClient, person: Person, log: StandInAudit, events: Events
) -> None:
    _, checkpoint = await client.blocked(person)
    (made,) = await events(f"checkpoint/{checkpoint.checkpoint_id}")
    log.shown = line(made)

    await refused(
        export(client, person, checkpoint_id=checkpoint.checkpoint_id),
        grpc.StatusCode.FAILED_PRECONDITION,
        "EVIDENCE_INCOMPLETE",
    )


async def test_evidence_waits_for_the_log_no_longer_than_its_caller(
    client: GovernanceClient, person: Person, log: StandInAudit
) -> None:
    verdict = await client.ask_one(person, allowed(person))
    log.takes_in = False

    await refused(
        export(client, person, 1.5, decision_id=verdict.decision.decision_id),
        grpc.StatusCode.UNAVAILABLE,
        "EVIDENCE_NOT_LOGGED",
    )


async def test_a_run_of_many_decisions_is_exported_as_a_whole_and_an_endless_one_by_decision(
    client: GovernanceClient, person: Person, log: StandInAudit, superuser: Any
) -> None:
    run = str(uuid4())
    verdicts = await client.ask(person, *(allowed(person, run=run) for _ in range(32)))
    subjects = {f"decision/{verdict.decision.decision_id}" for verdict in verdicts}
    rows = await superuser.fetch("SELECT event FROM governance.outbox ORDER BY seq DESC LIMIT 200")
    told = [json.loads(row["event"]) for row in rows]
    log.shown = b"".join(line(event) for event in told if event["subject"] in subjects)

    said = json.loads((await export(client, person, run_id=run)).partition(b"\n")[0])
    assert len(said["evidence"]["decisions"]) == 32
    assert subjects <= set(log.asked[-1])

    await asyncio.gather(
        *(client.ask(person, *(allowed(person, run=run) for _ in range(32))) for _ in range(6))
    )

    await refused(
        export(client, person, run_id=run),
        grpc.StatusCode.INVALID_ARGUMENT,
        "EVIDENCE_TOO_LARGE",
    )


@pytest.mark.parametrize("kind", ["checkpoint_id", "decision_id", "run_id"])
async def test_there_is_no_evidence_of_what_is_not_ones_own(
    client: GovernanceClient, person: Person, kind: str
) -> None:
    asked: dict[str, Any] = {kind: str(uuid4())}
    await refused(
        export(client, person, **asked),
        grpc.StatusCode.PERMISSION_DENIED,
        "FORBIDDEN",
    )
