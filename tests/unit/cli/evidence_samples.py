"""A file of evidence as governance and audit write them, by keys of its own.

    story = Story()
    path.write_bytes(story.file())
    story.said["decisions"][0]["tool"] = "x"; story.file()   # governance lies in the log as well

The owner, then Bob for Carol, approve what Bob has edited; another decision was allowed, and
a third one rejected.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chenu.events.v1.method_policy_pb2 import CallerKind
from chenu.governance.v1.approval_pb2 import ApprovalRequirement, ApprovalStage, Approvers
from chenu_gate.action import Action, Principal
from chenu_gate.canonical_json import digest, write
from chenu_gate.permit import Permit, mint
from chenu_gate.view import argument_lines
from kernel.audit_event import AuditRecord
from kernel.caller import Caller
from kernel.context import background, new_id
from kernel.tokens import SigningKey
from services.audit.note import NoteSigner
from services.governance import audit_events
from services.governance.evidence.audit_events import evidence_exported
from services.governance.evidence.document import Texts, document, open_rules
from services.governance.policy.rule import CheckpointType, Effect, Facts, Judgement, as_told
from services.governance.policy.rules import words_of
from services.governance.review import requirements
from services.governance.review.gate import gate
from tests.support.actions import an_action
from tests.unit.cli.evidence_log import export
from tests.unit.cli.evidence_rows import (
    RULES,
    Row,
    checkpoint_row,
    decision_row,
    now,
    question_row,
    vote_token,
)

JUDGED = Judgement(Effect.CHECKPOINT, "destructive_action", CheckpointType.DESTRUCTIVE_ACTION)
UNUSED = {"since": "2026-11-22T00:00:00+00:00", "of_tool": "0", "of_kind": "0", "amounts": {}}


class Story:
    """What happened, as it stands in the rows and in the log."""

    def __init__(self) -> None:
        self.log = NoteSigner("audit.test/log", Ed25519PrivateKey.generate())
        self.permits, self.tokens = (SigningKey(Ed25519PrivateKey.generate()) for _ in range(2))
        self.events: list[dict[str, Any]] = []
        self.ada = Caller(
            tenant=new_id(),
            person=new_id(),
            identity=new_id(),
            actor="human",
            kind=CallerKind.CALLER_KIND_HUMAN,
            token_id=new_id(),
        )
        self.bob = replace(self.ada, person=new_id(), identity=new_id())
        self.carol = new_id()  # whose deputy Bob is
        rows = [self._approved(), self._allowed(), self._rejected()]
        texts = Texts()
        self.said = document(
            new_id(), now(), self.ada, f"decision/{rows[0]['decision']['decision_id']}", rows, texts
        )
        open_rules(self.said, [words_of(RULES.rules), words_of([])], texts)
        self.texts: list[dict[str, str]] = texts.opened
        with background("export", self.ada):
            evidence_id = self.said["evidence_id"]
            self._tell(evidence_exported(evidence_id, document="", decisions=[]))

    @property
    def exported(self) -> dict[str, Any]:
        """The record that names the document."""
        return self.events[-1]

    def details(self, kind: str, which: int = 0) -> dict[str, str]:
        found = [one for one in self.events if one["type"] == f"chenu.governance.{kind}"]
        details: dict[str, str] = found[which]["data"]["details"]
        return details

    def file(self, *, whole: bool = True, named: bool = True) -> bytes:
        """The file, of whatever the story says now; not `named`: the log names what was."""
        said = write(self.said)
        if named:
            self.exported["data"]["details"]["document"] = digest(said)
        texts = b'{"texts":%b}\n' % write(self.texts) if whole else b""
        return b'{"evidence":%b}\n' % said + texts + export(self.log, self.events)

    def _approved(self) -> Row:
        requirement = ApprovalRequirement(
            stages=[
                ApprovalStage(name="owner", required=1, approvers=Approvers(owner=True)),
                ApprovalStage(
                    name="Carol", required=1, approvers=Approvers(person_ids=[self.carol])
                ),
            ]
        )
        row = self._asked(requirement, JUDGED)
        self._vote(row, self.ada, "pending")
        self._remark(row)
        self._edit(row)
        self._vote(row, self.ada, "pending")
        self._vote(row, self.bob, "approved", "Go on, then.", stage=2, seat=self.carol)
        self._executed(row)
        return row

    def _allowed(self) -> Row:
        row = self._asked(None, Judgement(Effect.ALLOW, "own_sphere_changes"))
        self._executed(row)
        return row

    def _rejected(self) -> Row:
        requirement = ApprovalRequirement(
            stages=[ApprovalStage(required=1, approvers=Approvers(owner=True))]
        )
        row = self._asked(requirement, JUDGED)
        self._vote(row, self.ada, "rejected", "No.", option="reject")
        return row

    def _asked(self, requirement: ApprovalRequirement | None, judged: Judgement) -> Row:
        principal = Principal(self.ada.tenant, self.ada.person, self.ada.identity)
        action = an_action(principal=principal)
        known = Facts(
            tenant=self.ada.tenant,
            person=self.ada.person,
            identity=self.ada.identity,
            agent="",
            actor="human",
            requires_checkpoint=False,
            time=datetime.now(UTC),
        )
        gated = requirement and gate(
            action, judged, RULES, requirement,
            checkpoint_id=new_id(), agent_words="Only this one.", facts=known, used=UNUSED,
        )  # fmt: skip
        made = decision_row(action, judged, known, gated["approval"] if gated else None)
        row: Row = {"decision": made, "action": action.canonical().decode(), "checkpoint": None}
        row |= dict.fromkeys(
            ("view", "resolution_reason", "execution", "votes", "edits", "remarks")
        )
        common = {name: made[name] for name in ("action_digest", "rule", "run")}
        with background("authorize", self.ada):
            self._tell(
                audit_events.decision_made(
                    made["decision_id"], effect=made["effect"], sphere=made["sphere"],
                    rule_revision=made["rule_revision"], **common,
                    **{name: made[name] for name in ("request_id", "kind", "tool")},
                )
            )  # fmt: skip
            if gated:
                self._gate(row, gated, common)
        return row

    def _gate(self, row: Row, gated: Row, common: dict[str, str]) -> None:
        made = row["decision"]
        row["view"], row["votes"], row["edits"] = gated["view"], [], []
        row["checkpoint"] = checkpoint_row(gated)
        self._tell(
            audit_events.checkpoint_created(
                gated["checkpoint_id"], sphere=made["sphere"], decision=made["decision_id"],
                type=gated["type"], etag=gated["etag"], **common,
                approval=digest(write(gated["approval"])),
                facts=digest(write(as_told(made["facts"]))),
            )
        )  # fmt: skip

    def _vote(
        self,
        row: Row,
        voter: Caller,
        state: str,
        comment: str = "",
        *,
        option: str = "approve",
        stage: int = 1,
        seat: str = "",
    ) -> None:
        checkpoint, vote_id, token_id = row["checkpoint"], new_id(), new_id()
        token = vote_token(self.tokens, voter, checkpoint, token_id)
        row["votes"].append(
            {
                "vote_id": vote_id,
                "revision": checkpoint["revision"],
                "stage": stage,
                "option": option,
                "person": voter.person,
                "voter_identity": voter.identity,
                "seat": seat or None,
                "view_digest": checkpoint["etag"],
                "session": "s-1",
                "authentication": "pwd",
                "create_time": now(),
                "token_id": token_id,
                "token": token,
                "token_key": self.tokens.jwk["x"],
                "comment": comment,
            }
        )
        with background(
            "vote", replace(voter, kind=CallerKind.CALLER_KIND_VOTER, token_id=token_id)
        ):
            self._changed(
                row, state, vote=vote_id, option=option, token=digest(token.encode()),
                stage=str(stage), seat=seat,
            )  # fmt: skip
        checkpoint["state"] = state
        if state != "pending":
            checkpoint["resolve_time"] = now()
            row["resolution_reason"] = comment
        if state == "approved":
            checkpoint["valid_until"] = now(hours=24)

    def _remark(self, row: Row) -> None:
        row["remarks"] = [question_row(self.bob.person)]
        with background("comment", self.bob):
            self._changed(row, "asked", remark=row["remarks"][0]["remark_id"])

    def _edit(self, row: Row) -> None:
        checkpoint, made = row["checkpoint"], row["decision"]
        before = Action.parse(row["action"].encode())
        after = replace(before, arguments={"thread_id": "t-2"})
        old, new = argument_lines(before), argument_lines(after)
        changes = [
            {"path": path, "before": old.get(path, ""), "after": new.get(path, "")}
            for path in sorted(old.keys() | new.keys())
            if old.get(path) != new.get(path)
        ]
        edited = {"by": self.bob.person, "revision": 2, "changes": changes}
        gated = gate(
            after, JUDGED, RULES, requirements.read(checkpoint["approval"]), used=UNUSED,
            checkpoint_id="", agent_words="", facts=Facts.read(made["facts"]), edited=edited,
        )  # fmt: skip
        edit = {
            "revision": 2,
            "person": self.bob.person,
            "action_digest": after.digest,
            "etag": gated["etag"],
            "rule": "destructive_action",
            "rule_revision": RULES.revision,
            "facts": made["facts"],
            "approval": gated["approval"],
            "create_time": now(),
            "action": after.canonical().decode(),
            "view": gated["view"],
        }
        row["edits"].append(edit)
        with background("edit", self.bob):
            self._changed(
                row, "edited", person=self.bob.person, revision="2", new_etag=gated["etag"],
                new_action_digest=after.digest, new_approval=digest(write(gated["approval"])),
                new_facts=digest(write(as_told(made["facts"]))),
            )  # fmt: skip
        checkpoint["revision"], checkpoint["etag"] = 2, gated["etag"]

    def _changed(self, row: Row, happened: str, **facts: str) -> None:
        checkpoint, made = row["checkpoint"], row["decision"]
        waits = row["edits"][-1] if row["edits"] else made
        now = {**made, **checkpoint, "action_digest": waits["action_digest"]}
        self._tell(audit_events.checkpoint_changed(now, happened, **facts))
        checkpoint["version"] += 1

    def _executed(self, row: Row) -> None:
        made = row["decision"]
        waits = row["edits"][-1] if row["edits"] else row
        action = Action.parse(waits["action"].encode())
        permit = Permit.for_action(
            action,
            permit_id=new_id(),
            decision=made["decision_id"],
            freeze_epoch=0,
            now=datetime.now(UTC),
        )
        token = mint(permit, self.permits.private, self.permits.kid)
        row["execution"] = {
            "state": "succeeded",
            "reason": "OK",
            "finish_time": now(),
            "report_time": now(),
            "permit": token,
            "permit_key": self.permits.jwk["x"],
        }
        with background("report", Caller.system(service="threads")):
            self._tell(
                audit_events.decision_executed(
                    {**made, "action_digest": action.digest}, "succeeded",
                    run=made["run"], cause="OK", permit=digest(token.encode()),
                )
            )  # fmt: skip

    def _tell(self, event: AuditRecord) -> None:
        self.events.append(json.loads(event.bytes))
