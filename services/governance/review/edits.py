"""A person's other version of an action that waits: judged, typed, shown and voted on anew."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from chenu_gate.action import MAX_BYTES, Action, Target
from chenu_gate.canonical_json import digest, read, write
from chenu_gate.refusal import ActionRefused
from chenu_gate.tools import ToolRefused
from chenu_gate.view import argument_lines
from chenu_gate.visible_text import original
from kernel.caller import Caller
from kernel.database import Database, Record, Transaction
from kernel.errors import EtagMismatch, Forbidden
from kernel.statement import Statement
from services.governance import audit_events
from services.governance.clock import Clock
from services.governance.errors import EditRefused, GovernanceDenied, NoEligibleApprover
from services.governance.judging import Judging
from services.governance.policy.counting import Counting, contributions
from services.governance.policy.risk import risk_word
from services.governance.policy.rule import CheckpointType, Effect, Facts, Judgement
from services.governance.policy.rule_book import InForce, RuleBook
from services.governance.review import requirements
from services.governance.review.eligibility import Eligibility
from services.governance.review.gate import gate, voters
from services.governance.review.quorum import rejection
from services.governance.review.requirements import Requirements
from services.governance.review.transitions import Locked, Transitions
from services.governance.review.voters import look
from services.governance.review.votes import Votes
from services.governance.tool_definitions import ToolDefinitions

_FIND: Final = Statement(
    "SELECT c.revision, c.etag, c.identity, c.approval, c.type, d.person, d.facts,"
    " coalesce(e.rule, d.rule) AS rule, coalesce(n.action, a.action) AS action,"
    " coalesce(n.view, v.view) AS view"
    " FROM checkpoints AS c JOIN decisions AS d USING (decision_id)"
    " JOIN actions AS a USING (decision_id) JOIN views AS v USING (checkpoint_id)"
    " LEFT JOIN edits AS e ON e.checkpoint_id = c.checkpoint_id AND e.revision = c.revision"
    " LEFT JOIN edited_views AS n ON n.checkpoint_id = c.checkpoint_id"
    " AND n.revision = c.revision WHERE c.checkpoint_id = :checkpoint_id"
)
_EDIT: Final = Statement(
    "INSERT INTO edits (checkpoint_id, revision, tenant, identity, person, action_digest, etag,"
    " rule, rule_revision, facts, approval) VALUES (:checkpoint_id, :revision, :tenant, :identity,"
    " :person, :action_digest, :etag, :rule, :rule_revision, CAST(:facts AS jsonb),"
    " CAST(:approval AS jsonb))"
)
_SHOW: Final = Statement(
    "INSERT INTO edited_views (checkpoint_id, revision, tenant, identity, action, question, view,"
    " changes) VALUES (:checkpoint_id, :revision, :tenant, :identity, :action, :question, :view,"
    " CAST(:changes AS jsonb))"
)
_COUNT: Final = Statement(
    "INSERT INTO counted (tenant, decision_id, tally, amount)"
    " VALUES (:tenant, :decision_id, :tally, :amount)"
)
_MOVE: Final = Statement(
    "UPDATE checkpoints SET version = version + 1, revision = :revision, etag = :etag,"
    " edited_digest = :action_digest, approval = CAST(:approval AS jsonb),"
    " required_approvals = :required_approvals, type = :type, priority = :priority,"
    " voter_persons = CAST(:voter_persons AS uuid[]), voter_roles = CAST(:voter_roles AS text[]),"
    " claimed_by = NULL, claim_until = NULL WHERE checkpoint_id = :checkpoint_id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What a person wants instead; None leaves that part as it is."""

    arguments: str
    targets: Sequence[Target] | None = None
    target_sphere: str | None = None


class Edits:
    """Makes new revisions of actions that wait."""

    def __init__(
        self,
        *,
        database: Database,
        book: RuleBook,
        judging: Judging,
        counting: Counting,
        takes: Requirements,
        tools: ToolDefinitions,
        votes: Votes,
        eligibility: Eligibility,
        transitions: Transitions,
        clock: Clock,
    ) -> None:
        self._database, self._book, self._takes = database, book, takes
        self._judging, self._counting = judging, counting
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
        made = await self._gated(caller, row, before, action)
        async with self._database.transaction(caller) as tx:
            await look(tx, caller, self._clock.offset)
            locked = await self._transitions.lock(tx, checkpoint_id)
            if locked is None:
                raise Forbidden(subject=f"checkpoint/{checkpoint_id}")
            standing = locked.standing
            standing.check_pending(locked.now)
            if standing.etag != etag:
                raise EtagMismatch("what you edit is not what waits now", etag=standing.etag)
            if not electorate.voter.is_owner:
                rejection(
                    standing.requirement,
                    standing.ballots,
                    electorate,
                    escalated=standing.escalated,
                )
            await _store(tx, locked, caller.person, made)
        await self._transitions.announce([locked.row])

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
        self, caller: Caller, row: Record, before: Action, action: Action
    ) -> dict[str, Any]:
        """The new revision, judged by the rules of today for whoever asked."""
        in_force = await self._book.refresh(caller)
        rules = in_force.live
        asker = replace(caller, identity=row["identity"], person=row["person"])
        facts = await self._facts(asker, in_force, before, action, Facts.read(row["facts"]))
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
            | {"risk": risk_word(action), "built_in": rules.built_in_revision},
            "changes": changes,
            "counted": _more(in_force, before, action),
        }

    async def _facts(
        self, asker: Caller, in_force: InForce, before: Action, action: Action, known: Facts
    ) -> Facts:
        """Those of then at this moment; what waits is not counted against its own edit."""
        asked = in_force.live.asks_for(action)
        tallies = await self._counting.read(
            asker, {counter.tally(action): counter.window_seconds for counter in asked}
        )
        own = contributions(in_force, before)
        sums = {name: tally.value - own.get(name, 0) for name, tally in tallies.items()}
        return replace(
            known,
            time=self._clock.at(datetime.now(UTC)),
            identities=tuple(await self._judging.own_identities(asker, [action])),
            counters={counter.key: sums[counter.tally(action)] for counter in asked},
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
    except ActionRefused as refused:
        raise EditRefused(str(refused), cause=refused.cause) from None
    if action == before:
        raise EditRefused("the edit changes nothing", cause="UNCHANGED")
    return action


def _more(in_force: InForce, before: Action, after: Action) -> dict[str, int]:
    """What the edit adds to which tally; what it takes off stays counted until the end."""
    own = contributions(in_force, before)
    added = contributions(in_force, after)
    return {
        tally: amount - own.get(tally, 0)
        for tally, amount in added.items()
        if amount > own.get(tally, 0)
    }


def _changes(before: Action, after: Action) -> list[dict[str, str]]:
    """Every place that differs, as people are shown it: made visible, nothing left out."""
    old, new = argument_lines(before), argument_lines(after)
    return [
        {"path": path, "before": old.get(path, ""), "after": new.get(path, "")}
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]


async def _store(tx: Transaction, locked: Locked, editor: str, made: dict[str, Any]) -> None:
    row = locked.row

    def given(*names: str) -> dict[str, Any]:
        return {name: made[name] for name in names}

    own = {name: row[name] for name in ("checkpoint_id", "tenant", "identity")} | given("revision")
    await tx.execute(
        _EDIT,
        **own,
        person=editor,
        **given("action_digest", "etag", "rule", "rule_revision", "facts", "approval"),
    )
    await tx.execute(_SHOW, **own, **given("action", "question", "view", "changes"))
    named = voters(
        requirements.read(made["approval"]),
        owner=row["person"],
        escalated=locked.standing.escalated,
    )
    await tx.execute(
        _MOVE,
        checkpoint_id=row["checkpoint_id"],
        **given("revision", "etag", "action_digest", "approval", "required_approvals"),
        **given("type", "priority"),
        **named,
    )
    for tally, amount in made["counted"].items():
        await tx.execute(
            _COUNT,
            tenant=row["tenant"],
            decision_id=row["decision_id"],
            tally=tally,
            amount=amount,
        )
    tx.emit(
        audit_events.checkpoint_changed(
            row,
            "edited",
            person=editor,
            revision=str(made["revision"]),
            new_etag=made["etag"],
            new_action_digest=made["action_digest"],
            **{f"new_{name}": digest(write(made[name])) for name in ("approval", "facts")},
        )
    )
