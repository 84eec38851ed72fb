"""Evidence from the whole fleet: one file for an action, which needs nothing else to be checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from chenu.governance.v1.checkpoint_service_pb2 import ApproveCheckpointRequest
from chenu.governance.v1.evidence_service_pb2 import ExportEvidenceRequest
from chenu.governance.v1.evidence_service_pb2_grpc import EvidenceServiceStub
from chenu.governance.v1.review_service_pb2 import CommentCheckpointRequest, EditCheckpointRequest
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from chenu.governance.v1.rule_pb2 import Rule, RuleDocument
from chenu.governance.v1.rule_service_pb2 import CreateRuleRevisionRequest, PromoteRulesRequest
from chenu.governance.v1.rule_service_pb2_grpc import RuleServiceStub
from chenu_gate.action import Action
from cli.verification.evidence import verify_evidence
from cli.verification.keys import read_keys, split_keys
from cli.verification.verdict import Verdict
from tests.laws.changes.governance import a_grant
from tests.laws.hands import Hands, use
from tests.laws.reviewing import join
from tests.laws.stories import doomed, reason
from tests.support.deputies import appoint
from tests.support.fleet import Client, Fleet
from tests.support.waiting import soon


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


async def test_a_vote_from_afar_and_a_deputys_are_proved_with_how_the_voter_was_known(
    fleet: Fleet, hands: Hands, verified: Any
) -> None:
    me = await fleet.register()
    bea = await join(me)
    person, deputy = (one.session.session.user.user_id for one in (me, bea))
    await appoint(me, bea)

    run = str(uuid4())
    for method in ("MAIL", "CHAT", ""):
        search = replace(use(me, "thread.search", query=str(uuid4())), run=run)
        at = (await hands.ask(me, search, requires_checkpoint=True)).checkpoint
        if method:
            ballot = await hands.ballot(me, at.checkpoint_id, at.view_digest, method)
            vote = ApproveCheckpointRequest(checkpoint_id=at.checkpoint_id, etag=at.view_digest)
            await me.checkpoints.ApproveCheckpoint(vote, metadata=await hands.redeemed(ballot))
        else:
            await bea.approve(at.checkpoint_id)

    file = await export(me, run_id=run)

    said = json.loads(file.splitlines()[0])["evidence"]["decisions"]
    votes = [vote for decision in said for vote in decision["checkpoint"]["votes"]]
    assert [vote["authentication"] for vote in votes] == ["mail", "chat", "pwd"]
    verdict = verified(file)
    assert (verdict.problems, verdict.exit_code) == ([], 0)
    votes = [note for note in verdict.notes if note.startswith("vote on revision 1: approve by")]
    assert [note.partition(" by person ")[2] for note in votes] == [
        f"{person}, known by a link in a mail, less assured than a log-in",
        f"{person}, known by a button in a chat, less assured than a log-in",
        f"{deputy} for person {person}, known by log-in (pwd)",
    ]
    # She decided it, but the log shows her nothing of another identity.
    refused = ("FAILED_PRECONDITION", "EVIDENCE_INCOMPLETE")
    assert await reason(export(bea, checkpoint_id=at.checkpoint_id)) == refused


async def test_the_rule_that_stopped_it_is_in_the_file_and_bound_by_its_revision(
    fleet: Fleet, hands: Hands, verified: Any
) -> None:
    me = await fleet.register()
    condition = 'action.tool == "thread.search"'
    rule = Rule(
        code="ask_first", description="Searches are asked for.", condition=condition,
        effect="EFFECT_CHECKPOINT", checkpoint_type="CHECKPOINT_TYPE_DATA_ACCESS",
    )  # fmt: skip
    rules = RuleServiceStub(fleet.channel("governance"))
    made = await rules.CreateRuleRevision(
        CreateRuleRevisionRequest(document=RuleDocument(rules=[rule])), metadata=me.me
    )
    revision = made.revision.revision
    promoted = await rules.PromoteRules(
        PromoteRulesRequest(revision=revision, request_id=str(uuid4())), metadata=me.me
    )
    await me.approve(promoted.verdict.checkpoint.checkpoint_id)

    async def stopped() -> str:
        search = use(me, "thread.search", query=str(uuid4()))
        return (await hands.ask(me, search)).checkpoint.checkpoint_id

    checkpoint_id = await soon(stopped, "the rule holds")
    whole = await export(me, checkpoint_id=checkpoint_id, whole=True)
    verdict = verified(whole)
    assert verdict.problems == []
    told = f"checkpoint by the rule ask_first, where {condition}: Searches are asked for."
    assert any(note.endswith(told) for note in verdict.notes)
    milder = verified(whole.replace(b'thread.search\\"', b'thread.delete\\"', 1))
    assert milder.problems == ["a text is there that the document does not name"]
    redacted = await export(me, checkpoint_id=checkpoint_id)
    assert verified(redacted).problems == []
    assert b"Searches are asked for" not in redacted
    assert revision.encode() in redacted


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
