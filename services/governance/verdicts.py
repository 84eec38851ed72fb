"""What is said of a decision to whoever asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chenu.governance.v1.authorization_service_pb2 import Verdict
from chenu_gate.action import Action
from services.governance import messages
from services.governance.permits import PermitKeys
from services.governance.policy.rule_book import RuleBook
from services.governance.policy.rules import Effect
from services.governance.review.lifecycle import Answer, Checkpoint, State, answer

Row = Mapping[str, Any]


class Verdicts:
    """Tells answers, and mints the permits that go with them."""

    def __init__(self, book: RuleBook, permits: PermitKeys, review_uri: str) -> None:
        self._book, self._permits, self._review_uri = book, permits, review_uri

    def tell(self, row: Row, answered: Answer, reason: str = "") -> Verdict:
        """The verdict on a decision as `governance.authorized` returns it, without a permit."""
        gated = row["checkpoint"]
        verdict = Verdict(
            request_id=row["request_id"],
            state=messages.VERDICTS[answered.value],
            decision=messages.decision(row, gated["checkpoint_id"] if gated else ""),
            reason=reason or self._reason(row, answered),
        )
        if gated and gated.get("edited_action"):
            verdict.edited_action = gated["edited_action"].encode()
            verdict.decision.action_digest = gated["edited_digest"]
        if answered is Answer.BLOCKED:
            verdict.checkpoint.CopyFrom(messages.blocked(row, gated, self._review_uri))
        return verdict

    def permit(
        self, verdict: Verdict, action: Action, freeze_epoch: int, issued_at: datetime
    ) -> None:
        """Put a fresh permit into a verdict that says PERMITTED or EXECUTED."""
        if verdict.edited_action:
            action = Action.parse(verdict.edited_action)
        decision_id = verdict.decision.decision_id
        verdict.permit, expires = self._permits.permit(action, decision_id, freeze_epoch, issued_at)
        verdict.permit_expire_time.FromDatetime(expires)

    def _reason(self, row: Row, answered: Answer) -> str:
        if answered is Answer.DENIED:
            return row["refusal"] or self._book.described(row["rule_revision"], row["rule"])
        if row["checkpoint"] and answered.value == row["checkpoint"]["state"]:
            return row["checkpoint"]["reason"] or ""
        return ""


def answer_of(row: Row, now: datetime) -> Answer:
    """What the asker is told of a stored decision now."""
    gated = row["checkpoint"]
    executed = row["execution"] is not None
    standing = None
    if gated is not None:
        valid_until = gated["valid_until"]
        standing = Checkpoint(
            checkpoint_id=gated["checkpoint_id"],
            state=State(gated["state"]),
            etag=gated["etag"],
            expire_time=datetime.fromisoformat(gated["expire_time"]),
            valid_until=datetime.fromisoformat(valid_until) if valid_until else None,
            executed=executed,
        )
    return answer(
        Effect(row["effect"]),
        row["refusal"],
        standing,
        executed=executed,
        now=now,
        granted="grant" in row["facts"],
    )


def as_stored(item: Row, new: Row) -> Row:
    """A decision that was made this moment, as it would be read again."""
    gated = item["checkpoint"]
    if gated is not None:
        gated = {
            **gated,
            "state": State.PENDING.value,
            "expire_time": new["expire_time"],
            "valid_until": None,
            "reason": "",
            "approvers": None,
        }
    return {**item, "execution": None, "create_time": new["create_time"], "checkpoint": gated}
