"""The checkpoint of a decision: its history walked again, its votes checked and counted again."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from chenu_gate.canonical_json import digest, write
from cli.verification.evidence_records import Record, Records
from cli.verification.evidence_rules import Rules
from cli.verification.evidence_texts import Texts
from cli.verification.evidence_votes import check_vote, missing
from cli.verification.signatures import Signatures
from cli.verification.verdict import Tampered

LEEWAY: Final = timedelta(seconds=5)
_ENDS: Final = {"approved", "rejected", "expired", "cancelled", "superseded"}


def check_checkpoint(
    decision: Mapping[str, Any],
    records: Records,
    signatures: Signatures,
    texts: Texts,
    rules: Rules,
) -> Record | None:
    """The record of its approval, where it was approved; Tampered at the first thing wrong."""
    gate = decision["checkpoint"]
    history = _history(gate, records)
    walk = _Walk(decision, signatures)
    for record in history:
        walk.step(record)
    walk.end()
    before = ""
    for revision in gate["revisions"]:
        what = f"revision {revision['revision']} of decision {decision['decision_id']}"
        effect = decision["effect"] if revision["revision"] == 1 else ""
        rule = rules.check(revision, what, effect=effect)
        texts.check_revision(what, decision, revision, before, rule)
        before = texts.named(revision["action_digest"])
    for text in (gate["reason"], *(one["comment"] for one in gate["votes"]),
                 *(one["text"] for one in gate["remarks"])):  # fmt: skip
        texts.named(text)
    return walk.approved


def _history(gate: Mapping[str, Any], records: Records) -> list[Record]:
    """Its records in the order of their versions, each once and none left out."""
    subject = f"checkpoint/{gate['checkpoint_id']}"
    stream = [one for one in records.of(subject) if one.data.get("stream") == subject]
    known = {one.version: one for one in stream}
    if len(known) != len(stream):
        raise Tampered(None, f"the log has two records of one version of {subject}")
    missing = set(range(1, gate["version"] + 1)) - known.keys()
    if missing:
        raise Tampered(None, f"the log has no record of version {min(missing)} of {subject}")
    for version in known.keys() - set(range(1, gate["version"] + 1)):
        raise known[version].wrong(f"the document knows nothing of this about {subject}")
    return [known[version] for version in range(1, gate["version"] + 1)]


class _Walk:
    """Where the checkpoint stood after each of its records."""

    def __init__(self, decision: Mapping[str, Any], signatures: Signatures) -> None:
        self._decision, self._signatures = decision, signatures
        self._gate = decision["checkpoint"]
        self._subject = f"checkpoint/{self._gate['checkpoint_id']}"
        self._votes = {vote["vote_id"]: vote for vote in self._gate["votes"]}
        if len(self._votes) != len(self._gate["votes"]):
            raise Tampered(None, f"{self._subject}: one vote stands there twice")
        self._counted: list[Mapping[str, Any]] = []
        self._remarks = {remark["remark_id"]: remark for remark in self._gate["remarks"]}
        self._escalated = False
        self._revision = 0
        self._state = ""
        self._time: datetime | None = None
        self.approved: Record | None = None

    def step(self, record: Record) -> None:
        """One record: what it says is in the document, and it may come here."""
        if self._time and record.time < self._time - LEEWAY:
            raise record.wrong(f"{self._subject}: it was recorded before what it follows")
        self._time = record.time
        happened = record.kind.removeprefix("checkpoint.")
        if (happened == "created") != (self._state == ""):
            raise record.wrong(f"{self._subject} begins with its creation, and only once")
        if happened == "created":
            self._created(record)
        elif self._state != "pending" and (self._state, happened) != ("approved", "expired"):
            raise record.wrong(f"{self._subject} was {self._state}, and that is for good")
        if happened == "edited":
            self._edited(record)
        if "vote" in record.details:
            self._voted(record)
        if "remark" in record.details:
            self._remarked(record)
        self._escalated |= happened == "escalated"
        if happened in _ENDS:
            self._ended(record, happened)

    def end(self) -> None:
        """Everything in the document was met with."""
        if self._state != self._gate["state"]:
            said = f"the document {self._gate['state']}"
            raise Tampered(None, f"{self._subject}: the log says {self._state}, {said}")
        if self._votes or self._remarks:
            what = "a vote" if self._votes else "a remark"
            raise Tampered(None, f"{self._subject}: the log knows nothing of {what}")
        if self._escalated is not self._gate["escalated"]:
            raise Tampered(None, f"{self._subject}: the log disagrees that it was escalated")
        if self._revision != len(self._gate["revisions"]):
            raise Tampered(None, f"{self._subject}: the log knows nothing of a revision")

    def _created(self, record: Record) -> None:
        self._state = "pending"
        first = self._next(record)
        if len(self._gate["revisions"]) == 1:
            record.agree(self._subject, type=self._gate["type"])
        record.agree(
            self._subject,
            decision=self._decision["decision_id"],
            rule=first["rule"],
            etag=first["view_digest"],
            action_digest=first["action_digest"],
            run=self._decision["run_id"],
        )
        self._bound(record, first, "")
        same = ("action_digest", "rule", "rule_revision", "facts")
        if any(first[name] != self._decision[name] for name in same) or first["person_id"]:
            raise Tampered(None, f"{self._subject}: its first revision is not what was decided")

    def _edited(self, record: Record) -> None:
        revision = self._next(record)
        record.agree(
            self._subject,
            person=revision["person_id"],
            revision=str(revision["revision"]),
            new_etag=revision["view_digest"],
            new_action_digest=revision["action_digest"],
        )
        self._bound(record, revision, "new_")
        self._counted.clear()

    def _next(self, record: Record) -> Mapping[str, Any]:
        self._revision += 1
        if self._revision > len(self._gate["revisions"]):
            raise record.wrong(f"{self._subject}: the document has no revision {self._revision}")
        revision: Mapping[str, Any] = self._gate["revisions"][self._revision - 1]
        if revision["revision"] != self._revision:
            raise Tampered(None, f"{self._subject}: its revisions are out of order")
        return revision

    def _bound(self, record: Record, revision: Mapping[str, Any], prefix: str) -> None:
        for name in ("approval", "facts"):
            wanted = record.details.get(f"{prefix}{name}")
            if wanted != digest(write(revision[name])):
                raise record.wrong(f"{self._subject}: the log names another {name} than this")

    def _voted(self, record: Record) -> None:
        vote = self._votes.pop(record.details["vote"], None)
        if vote is None:
            raise record.wrong(f"{self._subject}: the document keeps a vote from you")
        if vote["revision"] != self._revision:
            raise record.wrong(f"{self._subject}: a vote was for another revision than was there")
        check_vote(vote, record, self._decision, self._signatures)
        self._counted.append(vote)

    def _remarked(self, record: Record) -> None:
        remark = self._remarks.pop(record.details["remark"], None)
        said = (record.actor.get("person", ""), record.kind == "checkpoint.asked")
        # One that was erased is not there any more.
        if remark is not None and said != (remark["person_id"], remark["is_question"]):
            raise record.wrong(f"{self._subject}: somebody else remarked it")

    def _ended(self, record: Record, state: str) -> None:
        self._state = state
        if state == "rejected" and not any(v["option"] == "reject" for v in self._counted):
            raise record.wrong(f"{self._subject} was rejected by nobody")
        if state != "approved":
            return
        self.approved = record
        if record.time > datetime.fromisoformat(self._gate["expire_time"]) + LEEWAY:
            raise record.wrong(f"{self._subject} was approved after its time")
        revision = self._gate["revisions"][self._revision - 1]
        short = missing(
            revision["approval"],
            self._counted,
            owner=self._decision["person_id"],
            editors={one["person_id"] for one in self._gate["revisions"][1 : self._revision]},
            escalated=self._escalated,
        )
        if short:
            raise record.wrong(f"{self._subject} was approved without enough votes: {short}")
