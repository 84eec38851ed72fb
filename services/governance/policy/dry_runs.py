"""What would be decided of an action now, and why; nothing is stored."""

from __future__ import annotations

from datetime import UTC, datetime

from chenu.governance.v1.authorization_service_pb2 import ActionRequest
from chenu.governance.v1.rule_pb2 import Evaluation
from kernel.caller import Caller
from services.governance.clock import Clock
from services.governance.decisions import Decisions
from services.governance.judging import Judging
from services.governance.policy.counting import Counting
from services.governance.policy.rule import Facts
from services.governance.policy.rule_trials import Trials
from services.governance.policy.rules import RuleSet


class DryRuns:
    """Judges a caller's action from the facts of this moment."""

    def __init__(
        self,
        decisions: Decisions,
        judging: Judging,
        counting: Counting,
        trials: Trials,
        clock: Clock,
    ) -> None:
        self._decisions, self._judging, self._counting = decisions, judging, counting
        self._trials, self._clock = trials, clock

    async def evaluate(
        self, caller: Caller, rules: RuleSet, action: bytes, *, requires_checkpoint: bool
    ) -> Evaluation:
        """The evaluation of the action that these bytes are, which must be the caller's own."""
        (parsed,) = self._decisions.parse(caller, [ActionRequest(action=action)])
        asked = rules.asks_for(parsed)
        tallies = await self._counting.read(
            caller, {counter.tally(parsed): counter.window_seconds for counter in asked}
        )
        facts = Facts(
            tenant=caller.tenant,
            person=caller.person,
            identity=caller.identity,
            agent=caller.agent,
            actor=caller.actor,
            requires_checkpoint=requires_checkpoint,
            time=self._clock.at(datetime.now(UTC)),
            identities=tuple(await self._judging.own_identities(caller, [parsed])),
            counters={counter.key: tallies[counter.tally(parsed)].value for counter in asked},
        )
        return self._trials.evaluate(rules, parsed, facts)
