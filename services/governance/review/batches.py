"""Many answers at once: each to a view of its own, each counted or refused by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chenu.governance.v1 import checkpoint_service_pb2 as rpc
from chenu.governance.v1.approval_pb2 import RiskClass
from chenu_gate.view import batch_digest
from kernel.caller import Caller
from kernel.errors import ServiceError
from services.governance.errors import BatchInvalid, NotEntitled, RiskTooHigh
from services.governance.review.checkpoints import Checkpoints
from services.governance.review.lifecycle import Option
from services.governance.review.votes import Votes


class Batches:
    """Decides checkpoints one after another, by one token that names every view."""

    def __init__(self, votes: Votes, checkpoints: Checkpoints) -> None:
        self._votes, self._checkpoints = votes, checkpoints

    async def decide(
        self, caller: Caller, decisions: Sequence[rpc.CheckpointDecision]
    ) -> list[rpc.CheckpointOutcome]:
        """What became of each, in the order given. One that is refused holds up no other."""
        pairs = [(one.checkpoint_id, one.etag) for one in decisions]
        if len({checkpoint_id for checkpoint_id, _ in pairs}) != len(pairs):
            raise BatchInvalid
        if caller.claims.get("batch") != batch_digest(pairs):
            raise NotEntitled(cause="ANOTHER_BATCH")
        return [await self._one(caller, decision) for decision in decisions]

    async def _one(self, caller: Caller, decision: rpc.CheckpointDecision) -> rpc.CheckpointOutcome:
        checkpoint_id, option = decision.checkpoint_id, Option(decision.option_id)
        # The token names all of the views, and is good for one vote on each.
        voter = replace(
            caller,
            token_id=f"{caller.token_id}/{checkpoint_id}",
            claims={**caller.claims, "checkpoint": checkpoint_id, "view_digest": decision.etag},
        )
        outcome = rpc.CheckpointOutcome(checkpoint_id=checkpoint_id)
        try:
            found = await self._checkpoints.get(caller, checkpoint_id)
            if option is Option.APPROVE and found.risk == RiskClass.RISK_CLASS_CRITICAL:
                raise RiskTooHigh
            decided = await self._votes.cast(
                voter, checkpoint_id, option, decision.etag, decision.comment
            )
            outcome.checkpoint.CopyFrom(decided)
        except ServiceError as error:
            outcome.reason, outcome.message = error.reason, str(error)
        return outcome
