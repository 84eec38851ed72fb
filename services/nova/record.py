"""A run in its worker's hands: the message, what resuming needs beside it, what is not yet written.

The `Run` message is the state; there is no second model of it. The journal holds
what the message does not show: the frozen context, the exchange with the model,
the canonical bytes of each action.
"""

import base64
import json
import time
from typing import Any, Final

from chenu.governance.v1.authorization_service_pb2 import Verdict
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.nova.v1.run_pb2 import Lane, LaneState, Run, RunAction, RunState
from chenu.nova.v1.run_service_pb2 import RunEvent
from chenu_gate.action import Action
from chenu_gate.canonical_json import digest
from kernel.audit_event import AuditRecord
from kernel.caller import Caller

ENDED: Final = frozenset(
    {
        RunState.RUN_STATE_SUCCEEDED,
        RunState.RUN_STATE_FAILED,
        RunState.RUN_STATE_DENIED,
        RunState.RUN_STATE_REJECTED,
        RunState.RUN_STATE_EXPIRED,
        RunState.RUN_STATE_CANCELLED,
    }
)

# The one failure of an executor that Nova knows to have used nothing up.
TARGET_CHANGED: Final = "TARGET_CHANGED"

_ENDINGS: Final = {
    LaneState.LANE_STATE_COMPLETED: "lane.complete",
    LaneState.LANE_STATE_FAILED: "lane.error",
}


class RunRecord:
    """One run, as the worker that owns it knows it."""

    def __init__(
        self,
        run: Run,
        caller: Caller,
        *,
        journal: dict[str, Any] | None = None,
        delegation: str = "",
        version: int = 0,
        sequence: int = 0,
        cancel_reason: str | None = None,
    ) -> None:
        self.run = run
        self.caller = caller
        self.journal: dict[str, Any] = journal or {"turns": [], "actions": {}}
        self.delegation = delegation
        self.version = version
        self.sequence = sequence
        self.cancel_reason = cancel_reason
        self.untold = False
        """Whether its thread could not be told how it ended."""
        self.verdict: Verdict | None = None
        """What its wake-up says that governance would answer about the action that was decided."""
        self.events: list[RunEvent] = []
        self.audit: list[AuditRecord] = []
        self._started: dict[int, float] = {}

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.run.state in ENDED

    @property
    def at_rest(self) -> bool:
        """Whether it has ended, or waits for a person."""
        return self.ended or self.run.state == RunState.RUN_STATE_BLOCKED

    @property
    def overdue(self) -> bool:
        """Whether its time is over."""
        return self.run.deadline.ToNanoseconds() < time.time_ns()

    def begin(self, lane: Lane) -> None:
        """The lane starts; its clock runs."""
        self.run.current_lane = lane
        self._started[lane] = time.perf_counter()
        result = self._lane(lane)
        result.state = LaneState.LANE_STATE_RUNNING
        result.start_time.FromNanoseconds(time.time_ns())

    def finish(
        self, lane: Lane, summary: str, state: LaneState = LaneState.LANE_STATE_COMPLETED
    ) -> None:
        """The lane has come to `summary`, one line without anybody's words in it."""
        result = self._lane(lane)
        result.state, result.summary = state, summary
        if lane in self._started:
            elapsed = time.perf_counter() - self._started.pop(lane)
            result.duration_micros = int(elapsed * 1e6)
        # A lane that waits has come to no end; that the run is blocked is told by itself.
        if kind := _ENDINGS.get(state):
            self.event(kind, summary, lane)

    def finished(self, lane: Lane) -> bool:
        """Whether the lane has completed in this round."""
        return any(
            r.lane == lane
            and r.round == self.run.round
            and r.state == LaneState.LANE_STATE_COMPLETED
            for r in self.run.lanes
        )

    def event(self, kind: str, summary: str, lane: Lane = Lane.LANE_UNSPECIFIED) -> None:
        """Something that a watcher is told, with the next write."""
        self.sequence += 1
        self.events.append(
            RunEvent(
                sequence_number=self.sequence,
                type=kind,
                lane=lane,
                round=self.run.round,
                state=self.run.state,
                summary=summary,
            )
        )

    def next_version(self) -> int:
        """The version of the run's next audit record."""
        self.version += 1
        return self.version

    def round_actions(self) -> list[RunAction]:
        """The actions of the round in hand, in plan order."""
        return [action for action in self.run.actions if action.round == self.run.round]

    def note_end(self, action: RunAction) -> None:
        """Its checkpoint has come to an end, and need not be taken back any more."""
        over = self.journal.setdefault("over", [])
        if action.request_id not in over:
            over.append(action.request_id)

    def unused(self) -> list[RunAction]:
        """The actions with a checkpoint that waits, or whose approval was not used."""
        over = self.journal.get("over", ())
        return [
            action
            for action in self.run.actions
            if action.checkpoint_id
            and action.request_id not in over
            and (
                action.execution_state == ExecutionState.EXECUTION_STATE_NOT_STARTED
                or action.result == TARGET_CHANGED
            )
        ]

    def action_bytes(self, action: RunAction) -> bytes:
        """The canonical bytes that were planned for this action."""
        return base64.b64decode(self.journal["actions"][action.request_id])

    def approved_bytes(self, action: RunAction) -> bytes:
        """The canonical bytes to execute: those that were planned, or a person's edit of them."""
        edited = self.journal.get("edited", {}).get(action.request_id)
        return base64.b64decode(edited) if edited else self.action_bytes(action)

    def keep_edit(self, action: RunAction, data: bytes) -> None:
        """Do this instead of what was planned; governance knows it by the same request id."""
        document = Action.parse(data).document()
        self.journal.setdefault("edited", {})[action.request_id] = base64.b64encode(data).decode()
        arguments = json.dumps(document["arguments"], ensure_ascii=False, sort_keys=True)
        action.arguments, action.edited = arguments, True
        action.action_digest = digest(data)

    def keep_action(self, action: RunAction, data: bytes) -> None:
        """Add a planned action to the round, with its bytes."""
        self.run.actions.append(action)
        self.journal["actions"][action.request_id] = base64.b64encode(data).decode()

    def refuse(self, why: str) -> dict[str, str]:
        """Have the model told that nothing of its last plan was done; why, by the tool's use."""
        refused = dict.fromkeys(self.last_uses(), why)
        self.journal["refused"], self.journal["final"] = refused, False
        return refused

    def last_uses(self) -> list[str]:
        """The ids of the tools' uses in the model's last turn, in order."""
        content = self.journal["turns"][-1]["content"]
        return [block["toolUse"]["id"] for block in content if "toolUse" in block]

    def payload(self, worker_id: str) -> dict[str, Any]:
        """What the next write tells the database."""
        return {
            "run_id": self.run.run_id,
            "worker_id": worker_id,
            "keep": not self.at_rest,
            "state": self.run.state,
            "version": self.version,
            "untold": self.untold,
            "run": base64.b64encode(self.run.SerializeToString()).decode(),
            # Only a run that goes on needs it; and what broke a run may be what it cannot hold.
            "journal": {} if self.ended else self.journal,
            "delegation": "" if self.ended else self.delegation,
            "events": [
                {
                    "sequence_number": e.sequence_number,
                    "type": e.type,
                    "lane": e.lane,
                    "round": e.round,
                    "state": e.state,
                    "summary": e.summary,
                }
                for e in self.events
            ],
        }

    def _lane(self, lane: Lane) -> Any:
        for result in self.run.lanes:
            if result.lane == lane and result.round == self.run.round:
                return result
        return self.run.lanes.add(lane=lane, round=self.run.round)
