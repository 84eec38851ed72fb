"""The one door: actions in, permits, blocks or refusals out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

import asyncpg

from chenu.events.v1.method_policy_pb2 import CallerKind
from chenu.governance.v1.authorization_service_pb2 import ActionRequest, Verdict
from kernel.caller import Caller
from kernel.database import Database
from kernel.errors import AuditBacklog, Forbidden, RequestIdReused, Unavailable
from kernel.grouped_write import GroupedWriter
from kernel.statement import Statement
from kernel.watching import Changes
from services.governance.clock import Clock
from services.governance.decisions import Decisions, Judged
from services.governance.holds.agent_limits import out_of_scope
from services.governance.holds.coverage import Use, use
from services.governance.holds.standing import Standing, frozen
from services.governance.holds.tombstones import Tombstones
from services.governance.judging import Basis, Judging, Superseded, check_sums, compute
from services.governance.review import requirements
from services.governance.review.asking import Asking
from services.governance.review.eligibility import Eligibility, Seat
from services.governance.review.endings import Endings
from services.governance.review.lifecycle import Answer
from services.governance.review.quorum import Ballot, enough
from services.governance.review.transitions import UNUSED, Transitions
from services.governance.verdicts import Row, Verdicts, answer_of, as_stored

_REUSED: Final = "CHREQ"
_USED_UP: Final = "CHGRA"
# An executed decision's permit can do nothing but get the executor's first answer again.
_WITH_PERMIT: Final = (Answer.PERMITTED, Answer.EXECUTED)
_ATTEMPTS: Final = 5
_FIND: Final = Statement(
    "SELECT authorized(jsonb_build_object('request_id', CAST(:request_id AS text))) AS decision,"
    " clock_timestamp() AS now"
)


class Own(NamedTuple):
    """An operation of governance's own: JSON text of the ApprovalRequirement, empty by its rule."""

    approval: str


class _GrantUsedUp(Exception):
    """The grant that would have covered an action was used up or ended in between."""


class Authorization:
    """Decides actions, once each, and tells what became of the decisions."""

    def __init__(
        self,
        *,
        database: Database,
        decisions: Decisions,
        judging: Judging,
        verdicts: Verdicts,
        eligibility: Eligibility,
        transitions: Transitions,
        changes: Changes,
        clock: Clock,
        tombstones: Tombstones,
        endings: Endings,
        asking: Asking,
    ) -> None:
        self._database, self._decisions, self._verdicts = database, decisions, verdicts
        self._judging, self._asking = judging, asking
        self._eligibility, self._transitions = eligibility, transitions
        self._changes, self._clock, self._tombstones = changes, clock, tombstones
        self._endings = endings
        self._writer = GroupedWriter(database, "governance.judged")

    async def authorize(
        self, caller: Caller, requests: Sequence[ActionRequest], *, own: Own | None = None
    ) -> list[Verdict]:
        """A verdict for each action; all that is new is decided in one commit, or nothing is.

        `own` makes it one of governance's own operations.
        """
        if self._database.outbox.backlogged:
            raise AuditBacklog
        actions = await compute(
            requests, lambda: self._decisions.parse(caller, requests, own=own is not None)
        )
        answer = partial(self._answer, caller, own)
        return await self._judging.settle(caller, requests, actions, answer)

    async def _answer(
        self,
        caller: Caller,
        own: Own | None,
        judged: Sequence[Judged],
        basis: Basis,
    ) -> list[Verdict]:
        """Store what is new and tell what holds; Superseded where it was judged in vain."""
        # Identity is asked only where a person would have to be.
        takes = [self._decisions.requirement(one, own.approval if own else "") for one in judged]
        approvable = [
            requirement is not None and await self._eligibility.can_be_met(caller, requirement)
            for requirement in takes
        ]
        gated = [one for one, people in zip(judged, takes, strict=True) if people is not None]
        asked = [one.request.request_id.lower() for one in gated]
        today = await self._asking.before(
            caller, [one.action for one in gated], judged[0].facts.time, asked
        )
        rows_of = partial(self._decisions.rows, judged, takes, approvable, today)
        items, stored, standings = await self._decide(caller, judged, rows_of, basis)
        # Nova supersedes the runs of a thread itself, before it asks for anything new.
        if caller.kind != CallerKind.CALLER_KIND_DELEGATION:
            await self._supersede_older(caller, judged, items, stored)
        now = self._clock.at(datetime.fromisoformat(stored["now"]))
        rows = [
            as_stored(item, row) if row["new"] else row
            for item, row in zip(items, stored["items"], strict=True)
        ]
        lapsed = await self._lapsed(caller, rows, now)
        verdicts = []
        for row, one, standing in zip(rows, judged, standings, strict=True):
            reason = lapsed.get(row["decision_id"], "")
            answered = Answer.EXPIRED if reason else answer_of(row, now)
            if answered is Answer.PERMITTED and (
                reason := frozen(standing) or out_of_scope(caller, one.action)
            ):
                answered = Answer.DENIED
            verdict = self._verdicts.tell(row, answered, reason)
            if answered in _WITH_PERMIT:
                issued_at = datetime.fromisoformat(stored["issued_at"])
                self._verdicts.permit(verdict, one.action, stored["freeze_epoch"], issued_at)
            verdicts.append(verdict)
        return verdicts

    async def _supersede_older(
        self,
        caller: Caller,
        judged: Sequence[Judged],
        items: Sequence[dict[str, Any]],
        stored: dict[str, Any],
    ) -> None:
        proposed = {
            item["decision_id"]: one.action
            for one, item, row in zip(judged, items, stored["items"], strict=True)
            if row["new"] and item["checkpoint"] and item["thread"]
        }
        if proposed:
            await self._endings.supersede_older(caller, proposed)

    async def find(self, caller: Caller, request_id: str) -> Verdict:
        """What a request id was answered, and what that means now; never with a permit."""
        async with self._database.transaction(caller) as tx:
            found = await tx.fetch_one(_FIND, request_id=request_id)
        if found is None or found["decision"] is None:
            raise Forbidden(subject=f"request/{request_id}")
        row = found["decision"]
        return self._verdicts.tell(row, answer_of(row, self._clock.at(found["now"])))

    async def _decide(
        self,
        caller: Caller,
        judged: Sequence[Judged],
        rows_of: Callable[[Sequence[str], Sequence[Use | None]], list[dict[str, Any]]],
        basis: Basis,
    ) -> tuple[list[dict[str, Any]], dict[str, Any], Sequence[Standing]]:
        """The rows, what the database made of them, and what they were decided in view of.

        As a rule nothing stands for or against an action, and it is decided at the first try.
        """
        granting = True
        requests = [one.request for one in judged]
        standings: Sequence[Standing] = basis["standing"] or [None] * len(judged)
        for _ in range(_ATTEMPTS):
            refusals = [
                frozen(standing)
                or out_of_scope(caller, one.action)
                or await self._tombstones.against(caller, one.action, standing)
                for one, standing in zip(judged, standings, strict=True)
            ]
            uses = [
                use(one.action, standing)
                if granting and not one.facts.requires_checkpoint
                else None
                for one, standing in zip(judged, standings, strict=True)
            ]
            items = await compute(requests, partial(rows_of, refusals, uses))
            check_sums(judged, items, standings)
            try:
                stored = await self._write(caller, items, {**basis, "standing": standings})
            except _GrantUsedUp:
                granting = False  # somebody else was faster: a person is asked
                continue
            if "items" in stored:
                return items, stored, standings
            standings = stored["standing"]
        raise Unavailable("what was asked for is being changed", retry_after=timedelta(seconds=1))

    async def _write(
        self, caller: Caller, items: list[dict[str, Any]], basis: Basis
    ) -> dict[str, Any]:
        plan = {
            **basis,
            "items": items,
            "tombstone_life": f"{self._tombstones.life.total_seconds()} seconds",
            "offset": f"{self._clock.offset.total_seconds()} seconds",
        }
        try:
            # The events are part of the plan: those of a known request id must not be told twice.
            stored = await self._writer.write(caller, plan)
        except asyncpg.PostgresError as error:
            if error.sqlstate == _REUSED:
                raise RequestIdReused from None
            if error.sqlstate == _USED_UP:
                raise _GrantUsedUp from None
            raise
        if "labels" in stored or "counted" in stored:
            raise Superseded(stored.get("labels"))
        if any(row["new"] for row in stored.get("items", ())):
            self._database.outbox.written.set()
            self._changes.notify(caller.tenant)
            if any(item["checkpoint"] for item in items):
                await self._transitions.asked()
        return stored

    async def _lapsed(self, caller: Caller, rows: Sequence[Row], now: datetime) -> dict[str, str]:
        """The decisions whose approval is good no more, each with its reason.

        Entitled means entitled now. What has lapsed stays lapsed: the checkpoint says so
        before its asker is told.
        """
        approved = [
            row for row in rows if row["checkpoint"] and row["checkpoint"]["state"] == "approved"
        ]
        permitted = [row for row in approved if answer_of(row, now) is Answer.PERMITTED]
        lapsed = {
            row["decision_id"]: UNUSED for row in approved if answer_of(row, now) is Answer.EXPIRED
        }
        void = await self._void(caller, permitted)
        lapsed |= {
            decision_id: f"the approval does not count any more: {', '.join(sorted(why))}"
            for decision_id, why in void.items()
        }
        for row in approved:
            if row["decision_id"] in lapsed:
                await self._transitions.lapse(
                    caller, row["checkpoint"]["checkpoint_id"], lapsed[row["decision_id"]]
                )
        return lapsed

    async def _void(self, caller: Caller, permitted: Sequence[Row]) -> dict[str, set[str]]:
        """The decisions that have not enough approvals now, and why others do not count."""
        gates = {row["decision_id"]: row["checkpoint"] for row in permitted}
        seats = [
            seat
            for gate in gates.values()
            for one in gate["approvers"]
            for seat in (
                Seat(one["person"], one["identity"]),
                Seat(one["seat"], one["seat_identity"]),
            )
        ]
        if not seats:
            return {}
        alive, refusals = await self._eligibility.alive(caller.tenant, caller.identity, seats)
        refused = {seat.person: why for seat, why in zip(seats, refusals, strict=True) if why}
        lapsed = {}
        for decision_id, gate in gates.items():
            requirement = requirements.read(gate["approval"])
            void = Eligibility.void(requirement, gate["approvers"], alive, gate["escalated"])
            ballots = [
                Ballot(one["person"], one["seat"], one["stage"])
                for one in gate["approvers"]
                if one["person"] not in void
            ]
            if not enough(requirement, ballots):
                lapsed[decision_id] = {
                    refused.get(one["person"]) or refused.get(one["seat"]) or "NOT_AN_APPROVER"
                    for one in gate["approvers"]
                    if one["person"] in void
                }
        return lapsed
