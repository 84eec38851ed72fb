"""Decisions that were really made, judged again by other rules."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from google.protobuf.json_format import MessageToDict

from chenu.governance.v1 import rule_pb2
from chenu_gate.canonical_json import digest, write
from kernel.caller import Caller
from kernel.database import Database
from services.governance import audit_events
from services.governance.messages import EFFECTS, KINDS, stamp, words
from services.governance.policy.history import History
from services.governance.policy.past import Past, PastDecision
from services.governance.policy.replay import Change, changed, judged_again, unrecorded
from services.governance.policy.rule import Effect
from services.governance.policy.rules import RuleSet

LIMIT: Final = 1_000
_TOLD: Final = 200
_BATCH: Final = 250
CHANGES: Final = words(rule_pb2.VerdictChange, "VERDICT_CHANGE_")


class Replays:
    """Tells verdicts only, never what they are on."""

    def __init__(self, database: Database, worker: Database) -> None:
        self._database, self._past = database, Past(database, worker)

    async def show(
        self,
        caller: Caller,
        rules: RuleSet,
        *,
        limit: int = LIMIT,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> rule_pb2.Replay:
        """As `replay`, to a person, whose looking is recorded."""
        replay = await self.replay(caller.tenant, rules, limit=limit, start=start, end=end)
        read = audit_events.others_read(
            "decisions.replayed", caller.tenant, replay.replayed, rules.revision
        )
        async with self._database.transaction(caller) as tx:
            tx.emit(read)
        return replay

    async def replay(
        self,
        tenant: str,
        rules: RuleSet,
        *,
        limit: int = LIMIT,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> rule_pb2.Replay:
        """What these rules make of the tenant's last decisions."""
        decisions = await self._past.decisions(tenant, limit=limit, start=start, end=end)
        missing = {
            counter.key: counter for one in decisions for counter in unrecorded(rules, one.versions)
        }
        history = await self._past.history(tenant, list(missing.values()), decisions)
        found: list[rule_pb2.ReplayedDecision] = []
        for begin in range(0, len(decisions), _BATCH):
            batch = decisions[begin : begin + _BATCH]
            # In pieces, in a thread: others go on deciding meanwhile.
            found += await asyncio.to_thread(_judge_again, rules, batch, history)
        others = sum(one.built_in not in ("", rules.built_in_revision) for one in decisions)
        return _told(rules, found, others)


def _judge_again(
    rules: RuleSet, decisions: Sequence[PastDecision], history: History
) -> list[rule_pb2.ReplayedDecision]:
    return [_replayed(rules, one, history) for one in decisions]


def _replayed(rules: RuleSet, past: PastDecision, history: History) -> rule_pb2.ReplayedDecision:
    row, before = past.row, past.verdict
    after = judged_again(rules, row["decision_id"], past.versions, history)
    told = rule_pb2.ReplayedDecision(
        decision_id=row["decision_id"],
        create_time=stamp(row["create_time"]),
        kind=KINDS[row["kind"]],
        tool=row["tool"],
        recorded_effect=EFFECTS[before.effect.value],
        recorded_rule=before.rule,
        recorded_built_in_revision=past.built_in,
    )
    if isinstance(after, str):
        told.change, told.cause = CHANGES[Change.NOT_REPLAYABLE.value], after
        return told
    # Nobody was asked where nobody could have been: who it would have taken, no row tells.
    if before.effect is Effect.CHECKPOINT and not past.asked:
        before = after if after.effect is Effect.CHECKPOINT else before
    change = changed(before, after)
    told.effect, told.rule = EFFECTS[after.effect.value], after.rule
    told.change = CHANGES[change.value if change else "unspecified"]
    return told


def _told(
    rules: RuleSet, found: Sequence[rule_pb2.ReplayedDecision], others: int
) -> rule_pb2.Replay:
    counts = dict.fromkeys(CHANGES.values(), 0)
    for one in found:
        counts[one.change] += 1
    differing = [one for one in found if one.change]
    differing.sort(key=lambda one: one.change)
    replay = rule_pb2.Replay(
        revision=rules.revision,
        replayed=len(found),
        unchanged=counts[CHANGES["unspecified"]],
        widened=counts[CHANGES["widened"]],
        tightened=counts[CHANGES["tightened"]],
        approvers_changed=counts[CHANGES["approvers"]],
        not_replayable=counts[CHANGES["not_replayable"]],
        decisions=differing[:_TOLD],
        built_in_revision=rules.built_in_revision,
        other_built_in=others,
    )
    replay.digest = digest(write(MessageToDict(replay)))
    return replay
