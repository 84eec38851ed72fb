"""What an evidence file says of decisions: rows as plain JSON, texts apart. Pure.

What people wrote, and what an action is about, is never in the document itself: in its place
stands the digest of the text, which whoever holds the text can compare (docs/evidence.md).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Any, Final

from chenu_gate.canonical_json import digest
from kernel.caller import Caller
from services.governance.messages import Row
from services.governance.policy.rule import as_told

VERSION: Final = "chenu.evidence.v1"


class Texts:
    """The texts that a document stands for by their digests."""

    def __init__(self) -> None:
        self.opened: list[dict[str, str]] = []

    def bound(self, text: str | None) -> str:
        """The digest that an action or a view has everywhere."""
        return self._kept("", text)

    def commitment(self, text: str | None) -> str:
        """A digest that nobody can guess the text from: of a salt and the text."""
        return self._kept(secrets.token_hex(16), text)

    def _kept(self, salt: str, text: str | None) -> str:
        if not text:
            return ""
        self.opened.append({"salt": salt, "text": text})
        return digest((salt + text).encode())


def document(
    evidence_id: str,
    create_time: str,
    requester: Caller,
    subject: str,
    rows: Iterable[Row],
    texts: Texts,
) -> dict[str, Any]:
    """The whole of it; `rows` are those of `reading.DECISIONS`, `subject` is "checkpoint/<id>"."""
    return {
        "version": VERSION,
        "evidence_id": evidence_id,
        "create_time": create_time,
        "requester": {
            "tenant": requester.tenant,
            "identity_id": requester.identity,
            "person_id": requester.person,
        },
        "subject": subject,
        "decisions": [_decision(row, texts) for row in rows],
    }


def open_rules(said: dict[str, Any], known: Iterable[bytes], texts: Texts) -> None:
    """Add those of the known rules (`rules.words_of`) that the document names by their hash."""
    named: set[str] = set()
    for decision in said["decisions"]:
        gate = decision["checkpoint"]
        for one in (decision, *(gate["revisions"] if gate else ())):
            named |= {one["rule_revision"], one["facts"].get("built_in", "")}
    for words in dict.fromkeys(known):
        if digest(words) in named:
            texts.bound(words.decode())


def _decision(row: Row, texts: Texts) -> dict[str, Any]:
    made = row["decision"]
    texts.bound(row["action"])
    return {
        "decision_id": made["decision_id"],
        "tenant": made["tenant"],
        "identity_id": made["identity"],
        "person_id": made["person"],
        "agent": made["agent"],
        "request_id": made["request_id"],
        "action_digest": made["action_digest"],
        "kind": made["kind"],
        "tool": made["tool"],
        "executor": made["executor"],
        "run_id": made["run"],
        "thread_id": made["thread"],
        "sphere": made["sphere"],
        "effect": made["effect"],
        "rule": made["rule"],
        "rule_revision": made["rule_revision"],
        "warnings": made["warnings"],
        "refusal": made["refusal"],
        "facts": as_told(made["facts"]),
        "create_time": made["create_time"],
        "checkpoint": _checkpoint(row, texts) if row["checkpoint"] else None,
        "execution": _execution(row["execution"]) if row["execution"] else None,
    }


def _checkpoint(row: Row, texts: Texts) -> dict[str, Any]:
    gate = row["checkpoint"]
    return {
        "checkpoint_id": gate["checkpoint_id"],
        "type": gate["type"],
        "state": gate["state"],
        "version": gate["version"],
        "escalated": gate["escalated"],
        "create_time": gate["create_time"],
        "expire_time": gate["expire_time"],
        "resolve_time": gate["resolve_time"],
        "valid_until": gate["valid_until"],
        "execute_by": gate["execute_by"],
        "reason": texts.commitment(row["resolution_reason"]),
        "revisions": list(_revisions(row, texts)),
        "votes": [_vote(vote, texts) for vote in row["votes"] or ()],
        "remarks": [
            {
                "remark_id": remark["remark_id"],
                "person_id": remark["person"],
                "is_question": remark["is_question"],
                "create_time": remark["create_time"],
                "text": texts.commitment(remark["remark"]),
            }
            for remark in row["remarks"] or ()
        ],
    }


def _revisions(row: Row, texts: Texts) -> Iterable[dict[str, Any]]:
    """What was asked for, then each other version that somebody put in its place."""
    made, gate, edits = row["decision"], row["checkpoint"], row["edits"] or ()
    # Where its view was erased, an edited checkpoint no longer says what the first etag was.
    first_view = texts.bound(row["view"]) or ("" if edits else gate["etag"])
    first = {"revision": 1, "person": "", "etag": first_view, **_names(made, _FIRST)}
    if first["approval"] is None:
        first["approval"] = gate["approval"]
    for edit in (first, *edits):
        texts.bound(edit.get("action"))
        texts.bound(edit.get("view"))
        yield {
            "revision": edit["revision"],
            "person_id": edit["person"],
            "action_digest": edit["action_digest"],
            "view_digest": edit["etag"],
            "rule": edit["rule"],
            "rule_revision": edit["rule_revision"],
            "facts": as_told(edit["facts"]),
            "approval": edit["approval"],
            "create_time": edit["create_time"],
        }


_FIRST: Final = ("action_digest", "rule", "rule_revision", "facts", "approval", "create_time")


def _vote(vote: Row, texts: Texts) -> dict[str, Any]:
    return {
        "vote_id": vote["vote_id"],
        "revision": vote["revision"],
        "stage": vote["stage"],
        "option": vote["option"],
        "person_id": vote["person"],
        "identity_id": vote["voter_identity"],
        "on_behalf_of": vote["seat"] or "",
        "view_digest": vote["view_digest"],
        "session": vote["session"],
        "authentication": vote["authentication"],
        "create_time": vote["create_time"],
        "token_id": vote["token_id"],
        "token": vote["token"],
        "token_key": vote["token_key"],
        "comment": texts.commitment(vote["comment"]),
    }


def _execution(execution: Row) -> dict[str, Any]:
    return _names(
        execution, ("state", "reason", "finish_time", "report_time", "permit", "permit_key")
    )


def _names(row: Row, names: Sequence[str]) -> dict[str, Any]:
    return {name: row[name] for name in names}
