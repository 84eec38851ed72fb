"""Decisions that were really made, judged again by other rules."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from google.protobuf.json_format import MessageToDict

from chenu.governance.v1 import rule_pb2
from chenu_gate.action import Action
from chenu_gate.canonical_json import digest, write
from kernel.caller import Caller
from kernel.context import background, current
from kernel.database import Database, Record
from kernel.statement import Statement
from services.governance.messages import EFFECTS, KINDS, stamp, words
from services.governance.policy.replay import (
    ACTION_ERASED,
    Change,
    Verdict,
    changed,
    gated,
    judged_again,
)
from services.governance.policy.rule import Effect, Facts
from services.governance.policy.rules import RuleSet

LIMIT: Final = 1_000
_TOLD: Final = 200
_BATCH: Final = 250
CHANGES: Final = words(rule_pb2.VerdictChange, "VERDICT_CHANGE_")
# Operations of governance's own are always decided by people, whatever the rules say.
_DECISIONS: Final = Statement(
    "SELECT d.decision_id, d.identity, d.kind, d.tool, d.effect, d.rule, d.facts, d.approval,"
    " d.create_time, c.type"
    " FROM decisions AS d LEFT JOIN checkpoints AS c USING (decision_id)"
    " WHERE d.tenant = CAST(:tenant AS uuid) AND d.executor <> 'governance'"
    " AND (CAST(:start AS timestamptz) IS NULL OR d.create_time >= :start)"
    " AND (CAST(:end AS timestamptz) IS NULL OR d.create_time < :end)"
    # Ids are ordered by time, and there is an index on them.
    " ORDER BY d.decision_id DESC LIMIT :limit"
)
_ACTIONS: Final = Statement(
    "SELECT decision_id, action FROM actions WHERE decision_id = ANY(CAST(:decisions AS uuid[]))"
)


class Replays:
    """Reads what decisions keep, each identity's as that identity, and tells verdicts only."""

    def __init__(self, database: Database, worker: Database) -> None:
        self._database, self._worker = database, worker

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
        async with self._worker.work() as tx:
            rows = await tx.fetch(_DECISIONS, tenant=tenant, start=start, end=end, limit=limit)
        actions = await self._actions(tenant, rows)
        found: list[rule_pb2.ReplayedDecision] = []
        for begin in range(0, len(rows), _BATCH):
            batch = rows[begin : begin + _BATCH]
            # In pieces, in a thread: others go on deciding meanwhile.
            found += await asyncio.to_thread(_judge_again, rules, batch, actions)
        return _told(rules, found)

    async def _actions(self, tenant: str, rows: Sequence[Record]) -> dict[str, str]:
        by_identity: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            by_identity[row["identity"]].append(row["decision_id"])
        actions = {}
        for identity, decisions in by_identity.items():
            owner = Caller.system(service="governance", tenant=tenant, identity=identity)
            with background(current().method, owner):
                async with self._database.transaction(owner) as tx:
                    for row in await tx.fetch(_ACTIONS, decisions=decisions):
                        actions[row["decision_id"]] = row["action"]
        return actions


def recorded(row: Mapping[str, Any] | Record) -> Verdict:
    """The verdict that a decision keeps."""
    effect = Effect(row["effect"])
    if effect is not Effect.CHECKPOINT:
        return Verdict(effect, row["rule"])
    return gated(row["rule"], row["type"] or "", row["approval"])


def _judge_again(
    rules: RuleSet, rows: Sequence[Record], actions: Mapping[str, str]
) -> list[rule_pb2.ReplayedDecision]:
    return [_replayed(rules, row, actions.get(row["decision_id"])) for row in rows]


def _replayed(rules: RuleSet, row: Record, action: str | None) -> rule_pb2.ReplayedDecision:
    before = recorded(row)
    after: Verdict | str = ACTION_ERASED
    if action is not None:
        after = judged_again(rules, Action.parse(action.encode()), Facts.read(row["facts"]))
    told = rule_pb2.ReplayedDecision(
        decision_id=row["decision_id"],
        create_time=stamp(row["create_time"]),
        kind=KINDS[row["kind"]],
        tool=row["tool"],
        recorded_effect=EFFECTS[before.effect.value],
        recorded_rule=before.rule,
    )
    if isinstance(after, str):
        told.change, told.cause = CHANGES[Change.NOT_REPLAYABLE.value], after
        return told
    # Nobody was asked where nobody could have been; the type is on no checkpoint then.
    if before.effect is Effect.CHECKPOINT and not row["type"]:
        before = after if after.effect is Effect.CHECKPOINT else before
    change = changed(before, after)
    told.effect, told.rule = EFFECTS[after.effect.value], after.rule
    told.change = CHANGES[change.value if change else "unspecified"]
    return told


def _told(rules: RuleSet, found: Sequence[rule_pb2.ReplayedDecision]) -> rule_pb2.Replay:
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
    )
    replay.digest = digest(write(MessageToDict(replay)))
    return replay
