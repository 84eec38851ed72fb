"""How other rules come to hold: asked for, replayed, decided by people, applied at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from chenu.governance.v1.rule_pb2 import Replay
from chenu.governance.v1.rule_service_pb2 import PromoteRulesRequest, PromoteRulesResponse
from chenu_gate.action import Action, ActionKind, Target
from chenu_gate.canonical_json import Json
from chenu_gate.tools import TargetArgument, Tool
from kernel.caller import Caller
from kernel.database import Database, Transaction
from kernel.messaging import Messaging
from kernel.statement import Statement
from services.governance import audit_events
from services.governance.clock import Clock
from services.governance.errors import AlreadyLive
from services.governance.operations import (
    NOT_BEFORE,
    Approved,
    Found,
    Operation,
    OperationRefused,
    Operations,
)
from services.governance.policy.replay import may_loosen
from services.governance.policy.replays import CHANGES, Replays
from services.governance.policy.rule import OWN_EXECUTOR
from services.governance.policy.rule_book import WAKE_SUBJECT, hint
from services.governance.policy.rule_revisions import RuleRevisions, check_keeper
from services.governance.policy.rules import RuleSet
from services.governance.review.eligibility import Eligibility
from services.governance.review.keepers import one_keeper, quorum

_KEEPERS: Final = "rule keepers"
_LISTED: Final = 50
_EXAMPLES: Final = 20
_COUNT: Final[Json] = {"type": "integer", "minimum": 0}
_CODES: Final[Json] = {"type": "array", "items": {"type": "string"}, "maxItems": _LISTED + 1}
_COUNTS: Final = (
    "replayed", "unchanged", "widened", "tightened", "approvers_changed", "not_replayable",
    "other_built_in",
)  # fmt: skip
PROMOTE: Final = Tool.declare(
    name="rules.promote",
    description="Makes a revision of the tenant's rules the one that holds.",
    input_schema={
        "type": "object",
        "properties": {
            "revision": {"type": "string"},
            "previous": {"type": "string"},
            "rules": _COUNT,
            "added": _CODES,
            "changed": _CODES,
            "removed": _CODES,
            "replay": {
                "type": "object",
                "properties": {
                    "digest": {"type": "string"},
                    **dict.fromkeys(_COUNTS, _COUNT),
                    "widened_decisions": {"type": "array", "items": {"type": "string"}},
                },
                "additionalProperties": False,
            },
            "required_approvals": _COUNT,
            "why": {"type": "string"},
            NOT_BEFORE: {"type": "string"},
        },
        "required": ["revision", "previous", "replay", "required_approvals", NOT_BEFORE],
        "additionalProperties": False,
    },
    kind=ActionKind.CONFIGURE,
    executor=OWN_EXECUTOR,
    target_arguments=(TargetArgument("revision", "rule_revision"),),
)  # fmt: skip
_STANDING: Final = Statement("SELECT revision, version FROM rule_labels WHERE label = 'live'")
# Decisions under way hold this lock shared (migration 0005, `judged`).
_ALONE: Final = Statement("SELECT pg_advisory_xact_lock(hashtextextended('rules/' || :tenant, 0))")
_LOCKED: Final = Statement(
    "SELECT version FROM rule_labels WHERE tenant = CAST(:tenant AS uuid) AND label = 'live'"
    " FOR UPDATE"
)
_MOVE: Final = Statement(
    "INSERT INTO rule_labels AS l (tenant, label, revision, version, person, decision_id)"
    " VALUES (:tenant, 'live', :revision, 1, :person, :decision_id)"
    " ON CONFLICT (tenant, label) DO UPDATE SET revision = excluded.revision,"
    " version = l.version + 1, person = excluded.person, decision_id = excluded.decision_id,"
    " change_time = clock_timestamp()"
)


class Promotion:
    """Asks people whether a revision shall hold, and makes it hold."""

    def __init__(
        self,
        *,
        database: Database,
        messaging: Messaging,
        revisions: RuleRevisions,
        replays: Replays,
        eligibility: Eligibility,
        built_in: RuleSet,
        clock: Clock,
        delay: timedelta,
    ) -> None:
        self._database, self._messaging = database, messaging
        self._revisions, self._replays = revisions, replays
        self._eligibility, self._built_in = eligibility, built_in
        self._clock, self._delay = clock, delay

    def operation(self) -> Operation:
        """What `Operations` applies once it is approved."""
        return Operation(PROMOTE, self.apply)

    async def ask(
        self, operations: Operations, caller: Caller, request: PromoteRulesRequest
    ) -> PromoteRulesResponse:
        """The checkpoint that people decide it by, with the replay that they will see."""
        check_keeper(caller)
        revision = await self._revisions.named(caller, request.revision) if request.revision else ""
        candidate = await self._rules(caller, revision)
        replay: Replay | None = None

        async def find_out() -> Found:
            nonlocal replay
            found, replay = await self._found_out(caller, candidate)
            return found

        wanted = {"revision": candidate.revision}
        verdict = await operations.ask(caller, PROMOTE, request.request_id, wanted, find_out)
        return _response(verdict, await operations.asked(caller, request.request_id), replay)

    async def _found_out(self, caller: Caller, candidate: RuleSet) -> tuple[Found, Replay]:
        """What would change, judged again over what has been decided."""
        async with self._database.transaction(caller) as tx:
            row = await tx.fetch_one(_STANDING)
        version = row["version"] if row else 0
        live = await self._rules(caller, (row["revision"] or "") if row else "")
        if live.revision == candidate.revision:
            raise AlreadyLive(revision=candidate.revision)
        # Until people have decided, it is compiled in every process.
        await self._messaging.wake(WAKE_SUBJECT, hint(caller.tenant, candidate.revision))
        replay = await self._replays.replay(caller.tenant, candidate)
        arguments, approval = await self._arguments(caller, live, candidate, replay)
        target = Target("rule_revision", candidate.revision, str(version))
        return Found(arguments=arguments, targets=[target], approval=approval), replay

    async def apply(self, tx: Transaction, approved: Approved) -> None:
        """Let it hold, if what held when people decided holds still."""
        arguments, caller = approved.action.arguments, approved.caller
        await tx.fetch(_ALONE, tenant=caller.tenant)
        row = await tx.fetch_one(_LOCKED, tenant=caller.tenant)
        if str(row["version"] if row else 0) != approved.action.targets[0].version:
            raise OperationRefused("TARGET_CHANGED")
        revision = str(arguments["revision"])
        await tx.execute(
            _MOVE,
            tenant=caller.tenant,
            revision=None if revision == self._built_in.revision else revision,
            person=caller.person,
            decision_id=approved.decision_id,
        )
        tx.emit(
            audit_events.rules_promoted(
                caller.tenant,
                caller.identity,
                revision,
                decision=approved.decision_id,
                previous=str(arguments["previous"]),
                approvals=str(arguments["required_approvals"]),
                not_before=str(arguments[NOT_BEFORE]),
                why=str(arguments["why"]),
            )
        )

    async def _rules(self, caller: Caller, revision: str) -> RuleSet:
        return await self._revisions.rules(caller, revision) if revision else self._built_in

    async def _arguments(
        self, caller: Caller, live: RuleSet, candidate: RuleSet, replay: Replay
    ) -> tuple[dict[str, Any], str]:
        """All that people must know, and what it takes to approve it, as JSON text."""
        why = _why_quorum(live, candidate, replay)
        agreement = one_keeper(_KEEPERS)
        if why:
            agreement = await quorum(self._eligibility, caller, _KEEPERS)
        held = self._clock.at(datetime.now(UTC)) + self._delay
        before = {rule.code: rule.document() for rule in live.rules if not rule.built_in}
        after = {rule.code: rule.document() for rule in candidate.rules if not rule.built_in}
        widened = CHANGES["widened"]
        arguments: dict[str, Any] = {
            "previous": live.revision,
            "rules": len(after),
            "added": _listed(after.keys() - before.keys()),
            "changed": _listed({c for c in after.keys() & before.keys() if after[c] != before[c]}),
            "removed": _listed(before.keys() - after.keys()),
            "replay": {
                "digest": replay.digest,
                **{name: getattr(replay, name) for name in _COUNTS},
                "widened_decisions": [
                    one.decision_id for one in replay.decisions if one.change == widened
                ][:_EXAMPLES],
            },
            "required_approvals": agreement.approvals,
            "why": f"{why}; one person keeps the rules alone" if agreement.alone else why,
            NOT_BEFORE: held.isoformat(timespec="seconds") if agreement.alone else "",
        }
        return arguments, agreement.requirement


def _why_quorum(live: RuleSet, candidate: RuleSet, replay: Replay) -> str:
    """Why one person is not enough; empty where nothing would be stopped less."""
    if replay.widened or replay.approvers_changed:
        return "decisions of the past would be stopped less, or by other people"
    if replay.not_replayable:
        return "not all decisions of the past could be judged again"
    if not replay.replayed and may_loosen(live, candidate):
        return "no decision of the past shows what it changes, and it may loosen"
    return ""


def _listed(codes: set[str]) -> list[str]:
    listed = sorted(codes)
    more = len(listed) - _LISTED
    return listed if more <= 0 else [*listed[:_LISTED], f"and {more} more"]


def _response(verdict: Any, action: Action | None, replay: Replay | None) -> PromoteRulesResponse:
    verdict.ClearField("permit")
    verdict.ClearField("permit_expire_time")
    response = PromoteRulesResponse(verdict=verdict, replay=replay)
    if action is not None:
        response.required_approvals = int(str(action.arguments["required_approvals"]))
        held = str(action.arguments[NOT_BEFORE])
        if held:
            response.not_before.FromDatetime(datetime.fromisoformat(held))
    return response
