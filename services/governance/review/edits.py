"""A person's other version of an action that waits: judged, typed, shown and voted on anew."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from chenu_gate.action import MAX_BYTES, Action, Target
from chenu_gate.canonical_json import read
from chenu_gate.refusal import ActionRefused
from chenu_gate.tools import ToolRefused
from chenu_gate.view import argument_lines
from chenu_gate.visible_text import original
from kernel.caller import Caller
from kernel.database import Database, Record, Transaction
from kernel.errors import EtagMismatch, Forbidden
from kernel.statement import Statement
from services.governance.clock import Clock
from services.governance.decisions import check_spheres
from services.governance.errors import (
    EditRefused,
    GovernanceDenied,
    LimitsContended,
    NoEligibleApprover,
)
from services.governance.judging import Judging
from services.governance.policy.counting import Counting, asked_for, contributions
from services.governance.policy.counting import wanted as wanted_tallies
from services.governance.policy.risk import risk_word
from services.governance.policy.rule import CheckpointType, Effect, Facts, Judgement
from services.governance.policy.rule_book import InForce, RuleBook
from services.governance.policy.today import moved
from services.governance.review import requirements
from services.governance.review.asking import Asking
from services.governance.review.edit_records import store
from services.governance.review.eligibility import Eligibility
from services.governance.review.gate import gate
from services.governance.review.quorum import Electorate, rejection
from services.governance.review.requirements import Requirements
from services.governance.review.transitions import Locked, Transitions
from services.governance.review.voters import look
from services.governance.review.votes import Votes
from services.governance.tool_definitions import ToolDefinitions

_FIND: Final = Statement(
    "SELECT c.decision_id, c.revision, c.etag, c.identity, c.approval, c.type, d.person, d.facts,"
    " coalesce(e.rule, d.rule) AS rule, coalesce(n.action, a.action) AS action,"
    " coalesce(n.view, v.view) AS view"
    " FROM checkpoints AS c JOIN decisions AS d USING (tenant, decision_id)"
    " JOIN actions AS a USING (tenant, decision_id) JOIN views AS v USING (tenant, checkpoint_id)"
    " LEFT JOIN edits AS e USING (tenant, checkpoint_id, revision)"
    " LEFT JOIN edited_views AS n USING (tenant, checkpoint_id, revision)"
    " WHERE c.checkpoint_id = :checkpoint_id"
)
_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What a person wants instead; None leaves that part as it is."""

    arguments: str
    targets: Sequence[Target] | None = None
    target_sphere: str | None = None


class _Basis(NamedTuple):
    """What an edit is judged by: rules, and the sums of tallies over their windows."""

    in_force: InForce
    windows: dict[str, int]
    sums: dict[str, int]


class Edits:
    """Makes new revisions of actions that wait."""

    def __init__(
        self,
        *,
        database: Database,
        book: RuleBook,
        judging: Judging,
        counting: Counting,
        asking: Asking,
        takes: Requirements,
        tools: ToolDefinitions,
        votes: Votes,
        eligibility: Eligibility,
        transitions: Transitions,
        clock: Clock,
    ) -> None:
        self._database, self._book, self._takes = database, book, takes
        self._judging, self._counting, self._asking = judging, counting, asking
        self._tools, self._votes, self._eligibility = tools, votes, eligibility
        self._transitions, self._clock = transitions, clock

    async def edit(self, caller: Caller, checkpoint_id: str, etag: str, wanted: Edit) -> None:
        """Put the edited action in place of what waits; earlier votes count no more."""
        electorate = await self._votes.electorate(caller, checkpoint_id)
        row = await self._find(caller, checkpoint_id)
        if row["etag"] != etag:
            raise EtagMismatch("what you edit is not what waits now", etag=row["etag"])
        before = Action.parse(row["action"].encode())
        action = _edited(before, wanted)
        await self._check(action)
        for _ in range(_ATTEMPTS):
            judged_by = await self._judged_by(caller, row["decision_id"], action)
            made = await self._gated(caller, row, before, action, judged_by)
            async with self._database.transaction(caller) as tx:
                await look(tx, caller, self._clock.offset)
                locked = await self._locked(tx, checkpoint_id, etag, electorate)
                if await self._still_holds(tx, caller, row["decision_id"], judged_by, made):
                    await store(tx, locked, caller.person, made, self._clock.offset)
                    break
        else:
            raise LimitsContended(retry_after=timedelta(seconds=1))
        await self._transitions.announce([locked.row])

    async def _locked(
        self, tx: Transaction, checkpoint_id: str, etag: str, electorate: Electorate
    ) -> Locked:
        """The checkpoint, held, if it is what was seen and the voter is one who may edit it."""
        locked = await self._transitions.lock(tx, checkpoint_id)
        if locked is None:
            raise Forbidden(subject=f"checkpoint/{checkpoint_id}")
        standing = locked.standing
        standing.check_pending(locked.now)
        if standing.etag != etag:
            raise EtagMismatch("what you edit is not what waits now", etag=standing.etag)
        if not electorate.voter.is_owner:
            rejection(
                standing.requirement, standing.ballots, electorate, escalated=standing.escalated
            )
        return locked

    async def _judged_by(self, caller: Caller, decision_id: str, action: Action) -> _Basis:
        """The rules and sums of this moment; what waits is not counted against its own edit."""
        in_force = await self._book.refresh(caller)
        asked = wanted_tallies(in_force, [action])
        sums = await self._counting.read(caller, asked, without=decision_id)
        return _Basis(in_force, asked, {name: tally.value for name, tally in sums.items()})

    async def _still_holds(
        self,
        tx: Transaction,
        caller: Caller,
        decision_id: str,
        basis: _Basis,
        made: dict[str, Any],
    ) -> bool:
        """Whether rules and sums are those that it was judged by, until the commit."""
        if not await self._book.hold(tx, caller.tenant, basis.in_force):
            return False
        now = await self._counting.hold(
            tx, caller.tenant, basis.windows, made["counted"], without=decision_id
        )
        return {name: tally.value for name, tally in now.items()} == basis.sums

    async def _check(self, action: Action) -> None:
        """Raise EditRefused unless the action is what its tool's definition says."""
        tool = await self._tools.of(action)
        if tool is None:
            raise EditRefused(cause="TOOL_UNKNOWN", tool=action.tool.name)
        try:
            tool.check(action)
        except ToolRefused as refused:
            raise EditRefused(str(refused), cause=refused.reason, tool=action.tool.name) from None

    async def _find(self, caller: Caller, checkpoint_id: str) -> Record:
        async with self._database.transaction(caller) as tx:
            await look(tx, caller, self._clock.offset)
            row = await tx.fetch_one(_FIND, checkpoint_id=checkpoint_id)
        if row is None:
            raise Forbidden(subject=f"checkpoint/{checkpoint_id}")
        return row

    async def _gated(
        self, caller: Caller, row: Record, before: Action, action: Action, basis: _Basis
    ) -> dict[str, Any]:
        """The new revision, judged by the rules of today for whoever asked."""
        rules = basis.in_force.live
        asker = replace(caller, identity=row["identity"], person=row["person"])
        facts = await self._facts(asker, basis, action, Facts.read(row["facts"]))
        judgement = rules.judge(action, facts)
        if judgement.effect is Effect.DENY:
            raise GovernanceDenied(rule=judgement.rule, revision=rules.revision)
        if judgement.effect is Effect.CHECKPOINT:
            rule = rules.named(judgement.rule)
            requirement = self._takes.of(rule.approval if rule else "")
        else:
            # An edit never frees an action: what stopped it still does.
            judgement = Judgement(Effect.CHECKPOINT, row["rule"], CheckpointType(row["type"]))
            requirement = requirements.read(row["approval"])
        if not await self._eligibility.can_be_met(asker, requirement, {caller.person}):
            raise NoEligibleApprover(rule=judgement.rule, revision=rules.revision)
        today = await self._asking.before(asker, [action], facts.time)
        used = today[action.kind, action.tool.name]
        changes = _changes(before, action)
        words = json.loads(row["view"])["untrusted"]["agent_words"]
        try:
            gated = gate(
                action,
                judgement,
                rules,
                requirement,
                checkpoint_id="",
                agent_words=original(words),
                facts=facts,
                used=used,
                edited={"by": caller.person, "revision": row["revision"] + 1, "changes": changes},
            )
        except ActionRefused as refused:
            raise EditRefused(str(refused), cause=refused.cause) from None
        return {
            **gated,
            "revision": row["revision"] + 1,
            "action": action.canonical().decode(),
            "action_digest": action.digest,
            "rule": judgement.rule,
            "rule_revision": rules.revision,
            "facts": facts.stored()
            | {"risk": risk_word(action), "built_in": rules.built_in_revision, "today": used}
            | ({"amount": amount} if (amount := moved(action)) is not None else {}),
            "changes": changes,
            "counted": contributions(basis.in_force, action),
        }

    async def _facts(self, asker: Caller, basis: _Basis, action: Action, known: Facts) -> Facts:
        """Those of then at this moment."""
        return replace(
            known,
            time=self._clock.at(datetime.now(UTC)),
            identities=tuple(await self._judging.own_identities(asker, [action])),
            counters={
                counter.key: basis.sums.get(counter.tally(action), 0)
                for counter in asked_for(basis.in_force, action)
            },
        )


def _edited(before: Action, wanted: Edit) -> Action:
    try:
        action = replace(
            before,
            arguments=read(wanted.arguments.encode(), MAX_BYTES),
            targets=before.targets if wanted.targets is None else tuple(wanted.targets),
            target_sphere=(
                before.target_sphere if wanted.target_sphere is None else wanted.target_sphere
            ),
        )
        check_spheres(action)
    except ActionRefused as refused:
        raise EditRefused(str(refused), cause=refused.cause) from None
    if action == before:
        raise EditRefused("the edit changes nothing", cause="UNCHANGED")
    return action


def _changes(before: Action, after: Action) -> list[dict[str, str]]:
    """Every place that differs, as people are shown it: made visible, nothing left out."""
    old, new = argument_lines(before), argument_lines(after)
    return [
        {"path": path, "before": old.get(path, ""), "after": new.get(path, "")}
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]
