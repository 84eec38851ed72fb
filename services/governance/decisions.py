"""A decision on one action, from the bytes to the row with its events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from chenu.governance.v1.authorization_service_pb2 import ActionRequest
from chenu_gate.action import Action
from chenu_gate.refusal import ActionRefused
from kernel.audit_event import AuditRecord
from kernel.caller import Caller
from kernel.context import new_id
from services.governance import audit_events
from services.governance.clock import Clock
from services.governance.eligibility import Eligibility
from services.governance.errors import ActionInvalid, PrincipalMismatch
from services.governance.gate import gate
from services.governance.lifecycle import NO_ELIGIBLE_APPROVER
from services.governance.rules import Effect, Facts, Judgement, RuleSet


class Decisions:
    """Decides what nobody has asked before; the rows say whether somebody has."""

    def __init__(self, rules: RuleSet, eligibility: Eligibility, clock: Clock) -> None:
        self._rules, self._eligibility, self._clock = rules, eligibility, clock

    async def decide(
        self, caller: Caller, action: Action, request: ActionRequest
    ) -> dict[str, Any]:
        """The decision as it is stored if the request id is new: see migration 0003."""
        facts = Facts(
            tenant=caller.tenant,
            person=caller.person,
            identity=caller.identity,
            agent=caller.agent,
            actor=caller.actor,
            requires_checkpoint=request.requires_checkpoint,
            time=self._clock.at(datetime.now(UTC)),
        )
        judgement = self._rules.judge(action, facts)
        gated, refusal = None, ""
        if judgement.effect is Effect.CHECKPOINT:
            if await self._eligibility.somebody_can_approve(caller):
                gated = self._gate(action, judgement, request.agent_words)
            else:
                refusal = NO_ELIGIBLE_APPROVER
        item = {
            "decision_id": new_id(),
            "agent": caller.agent,
            "request_id": request.request_id,
            "action_digest": action.digest,
            "requires_checkpoint": request.requires_checkpoint,
            "kind": action.kind.value,
            "tool": action.tool.name,
            "executor": action.executor,
            "run": action.run,
            "thread": action.thread,
            "sphere": action.source_sphere,
            "effect": judgement.effect.value,
            "rule": judgement.rule,
            "rule_revision": self._rules.revision,
            "warnings": list(judgement.warnings),
            "refusal": refusal,
            "facts": facts.stored(),
            "action": action.canonical().decode(),
            "checkpoint": gated,
        }
        return item | {"events": [_outbox_row(event) for event in _events(item)]}

    def _gate(self, action: Action, judgement: Judgement, agent_words: str) -> dict[str, Any]:
        try:
            return gate(action, judgement, self._rules, new_id(), agent_words)
        except ActionRefused as refused:
            raise ActionInvalid(str(refused), cause=refused.cause) from None


def parse(request: ActionRequest, index: int, caller: Caller) -> Action:
    """The action that the caller asks for, for itself and for nobody else."""
    try:
        action = Action.parse(request.action)
    except ActionRefused as refused:
        raise ActionInvalid(str(refused), cause=refused.cause, index=str(index)) from None
    principal = action.principal
    named = (principal.tenant, principal.person, principal.identity, principal.agent)
    if named != (caller.tenant, caller.person, caller.identity, caller.agent):
        raise PrincipalMismatch(index=str(index))
    return action


def _events(item: dict[str, Any]) -> list[AuditRecord]:
    common = {name: item[name] for name in ("action_digest", "rule", "run")}
    made = audit_events.decision_made(
        item["decision_id"],
        effect=item["effect"],
        sphere=item["sphere"],
        request_id=item["request_id"],
        kind=item["kind"],
        tool=item["tool"],
        rule_revision=item["rule_revision"],
        refusal=item["refusal"],
        **common,
    )
    if item["checkpoint"] is None:
        return [made]
    created = audit_events.checkpoint_created(
        item["checkpoint"]["checkpoint_id"],
        sphere=item["sphere"],
        decision=item["decision_id"],
        type=item["checkpoint"]["type"],
        etag=item["checkpoint"]["etag"],
        **common,
    )
    return [made, created]


def _outbox_row(event: AuditRecord) -> dict[str, Any]:
    return {
        "id": event.id,
        "stream": event.stream,
        "version": event.version,
        "event": event.bytes.decode(),
    }
