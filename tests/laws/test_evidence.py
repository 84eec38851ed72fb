"""Evidence from the whole fleet: one file for an action, which needs nothing else to be checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from chenu.governance.v1.evidence_service_pb2 import ExportEvidenceRequest
from chenu.governance.v1.evidence_service_pb2_grpc import EvidenceServiceStub
from chenu.governance.v1.review_service_pb2 import CommentCheckpointRequest, EditCheckpointRequest
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from chenu_gate.action import Action
from cli.verification.evidence import verify_evidence
from cli.verification.keys import read_keys, split_keys
from cli.verification.verdict import Verdict
from tests.laws.changes.governance import a_grant
from tests.laws.hands import Hands, use
from tests.laws.stories import doomed, reason, soon
from tests.support.fleet import Client, Fleet


async def export(me: Client, **wanted: Any) -> bytes:
    stub = EvidenceServiceStub(me.fleet.channel("governance"))
    pieces = stub.ExportEvidence(ExportEvidenceRequest(**wanted), metadata=me.me)
    return b"".join([piece.data async for piece in pieces])


@pytest.fixture
def verified(tmp_path: Path, fleet_environment: Mapping[str, str]) -> Any:
    """What a third person finds, who has the file and the log's pinned key."""
    key = Path(fleet_environment["CHENU_KEYS_DIR"]) / "log.vkey"

    def verify(file: bytes) -> Verdict:
        (tmp_path / "evidence").write_bytes(file)
        keys = split_keys(read_keys(str(key)))
        return verify_evidence(tmp_path / "evidence", keys, (), lambda *_: None)

    return verify


def summaries(verdict: Verdict) -> list[str]:
    return [note.partition(": ")[2] for note in verdict.notes if note.startswith("decision/")]


async def test_an_approved_deletion_is_proved_by_its_file_alone(
    fleet: Fleet, verified: Any
) -> None:
    me = await fleet.register()
    run, checkpoint = await doomed(me, "Doomed to be proved")
    await me.approve(checkpoint.checkpoint_id, "It may go.")
    await me.go_on(run)

    async def reported() -> bytes:
        file = await export(me, checkpoint_id=checkpoint.checkpoint_id)
        return file if b'"state":"succeeded"' in file else b""

    redacted = await soon(reported, "the outcome is reported")
    verdict = verified(redacted)
    assert (verdict.problems, verdict.exit_code) == ([], 0)
    assert summaries(verdict) == ["thread.delete, approved, execution succeeded"]
    assert b"Doomed" not in redacted
    assert b"may go" not in redacted
    assert b"chenu.threads.thread.deleted" in redacted
    whole = await export(me, run_id=run, whole=True)
    assert verified(whole).problems == []
    assert b"Doomed to be proved" in whole
    assert b"It may go." in whole


async def test_what_somebody_edited_and_granted_and_what_was_rejected_is_proved(
    fleet: Fleet, hands: Hands, verified: Any
) -> None:
    me = await fleet.register()
    reviews = ReviewServiceStub(fleet.channel("governance"))
    asked, request_id = use(me, "thread.search", query="x"), str(uuid4())
    gated = (await hands.ask(me, asked, request_id, requires_checkpoint=True)).checkpoint
    remark = CommentCheckpointRequest(checkpoint_id=gated.checkpoint_id, text="Rather y.")
    await reviews.CommentCheckpoint(remark, metadata=me.me)
    edit = EditCheckpointRequest(
        checkpoint_id=gated.checkpoint_id, etag=gated.view_digest, arguments='{"query": "y"}'
    )
    await reviews.EditCheckpoint(edit, metadata=me.me)
    await me.approve(gated.checkpoint_id)
    verdict = await hands.ask(me, asked, request_id, requires_checkpoint=True)
    await hands.execute(me, Action.parse(verdict.edited_action), verdict.permit)

    edited = verified(await export(me, checkpoint_id=gated.checkpoint_id, whole=True))
    assert (edited.problems, edited.trust) == ([], "pinned")

    granted = verified(await export(me, decision_id=await a_grant(me)))
    assert granted.problems == []
    assert summaries(granted) == ["grant.create, approved, execution succeeded"]

    _, doomed_one = await doomed(me, "Stays")
    await me.reject(doomed_one.checkpoint_id)
    rejected = verified(await export(me, checkpoint_id=doomed_one.checkpoint_id))
    assert rejected.problems == []
    assert summaries(rejected) == ["thread.delete, rejected, not executed"]


async def test_evidence_is_nobody_elses(fleet: Fleet, stranger: Client) -> None:
    me = await fleet.register()
    _, checkpoint = await doomed(me)
    for wanted in (
        {"checkpoint_id": checkpoint.checkpoint_id},
        {"checkpoint_id": str(uuid4())},
        {"decision_id": str(uuid4())},
        {"run_id": str(uuid4())},
    ):
        assert await reason(export(stranger, **wanted)) == ("PERMISSION_DENIED", "FORBIDDEN")
