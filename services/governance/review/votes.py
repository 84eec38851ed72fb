"""A person's answer: judged by what stands at that moment, and kept for good."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final

from chenu.governance.v1 import checkpoint_pb2 as told
from chenu.governance.v1.approval_pb2 import RiskClass
from chenu.governance.v1.authorization_service_pb2 import Verdict
from chenu_gate.action import Action
from chenu_gate.canonical_json import digest
from kernel.caller import Caller
from kernel.context import new_id
from kernel.database import Database
from kernel.errors import AuditBacklog, EtagMismatch, Forbidden, Unavailable
from kernel.grouped_write import GroupedWriter
from kernel.tokens import KeySet
from services.governance import audit_events, messages
from services.governance.clock import Clock
from services.governance.decision_events import outbox_row
from services.governance.errors import LoginRequired, NotEntitled, VoteTokenUsed
from services.governance.review import requirements
from services.governance.review.checkpoints import Checkpoints
from services.governance.review.eligibility import Eligibility, Seat
from services.governance.review.lifecycle import Answer, Checkpoint, Option, State
from services.governance.review.quorum import Ballot, Electorate, decides_from_afar
from services.governance.review.transitions import Transitions
from services.governance.review.voters import eyes
from services.governance.verdicts import Row, Verdicts

_ATTEMPTS: Final = 10
_REMOTE: Final = frozenset({"mail", "chat"})
"""How somebody was authenticated who did not log in."""


class Votes:
    """Takes the votes of people who are entitled to them.

    A vote is judged by what one statement has read, and stored by another which finds that all of
    it still stands; no row is held while another service is asked.
    """

    def __init__(
        self,
        *,
        database: Database,
        checkpoints: Checkpoints,
        eligibility: Eligibility,
        transitions: Transitions,
        verdicts: Verdicts,
        clock: Clock,
        keys: KeySet,
    ) -> None:
        self._outbox, self._eligibility, self._keys = database.outbox, eligibility, keys
        self._checkpoints, self._transitions = checkpoints, transitions
        self._verdicts, self._clock = verdicts, clock
        self._before = GroupedWriter(database, "governance.before_vote")
        self._cast = GroupedWriter(database, "governance.cast_vote")

    async def cast(
        self, caller: Caller, checkpoint_id: str, option: Option, etag: str, comment: str
    ) -> told.Checkpoint:
        """Give one option to exactly what the etag stands for; raises unless it counted.

        The checkpoint as it stands then. The same vote by the same token again changes nothing.
        """
        _check_token(caller, checkpoint_id, etag)
        for attempt in range(_ATTEMPTS):
            row = await self._find(caller, checkpoint_id)
            if _was_cast(row, option, comment):
                return await self._checkpoints.get(caller, checkpoint_id)
            electorate = await self._electorate(caller, row)
            standing, now = _standing(row), self._clock.at(datetime.fromisoformat(row["now"]))
            _check_means(caller, row, standing)
            after, ballot = standing.vote(option, electorate, etag=etag, now=now)
            vote = self._vote(caller, row, after, ballot, option, comment)
            if self._outbox.backlogged:
                raise AuditBacklog
            stored = await self._cast.write(caller, vote)
            if stored["cast"]:
                break
            await asyncio.sleep(0.01 * attempt)
        else:
            raise Unavailable("what is voted on is being changed", retry_after=timedelta(seconds=1))
        self._outbox.written.set()
        await self._transitions.announce([_about(row)], self._permitted(row, after, stored))
        return messages.checkpoint(stored["checkpoint"])

    async def electorate(self, caller: Caller, checkpoint_id: str) -> Electorate:
        """The caller as a voter on the checkpoint, by identity's word of this moment."""
        return await self._electorate(caller, await self._find(caller, checkpoint_id))

    async def _find(self, caller: Caller, checkpoint_id: str) -> Row:
        """The checkpoint with its votes, and in whose place the caller may stand."""
        question = {
            **eyes(caller, self._clock.offset),
            "checkpoint": checkpoint_id,
            "token": caller.token_id,
        }
        row = await self._before.write(caller, question)
        if not row:
            raise Forbidden(subject=f"checkpoint/{checkpoint_id}")
        return row

    async def _electorate(self, caller: Caller, row: Row) -> Electorate:
        gate, principals = row["checkpoint"], row["principals"]
        approvers = gate["approvers"]
        seats = [
            Seat(caller.person, caller.identity, caller.session),
            *(Seat(one["person"], one["identity"]) for one in principals),
            *(Seat(one["person"], one["identity"]) for one in approvers),
            *(Seat(one["seat"], one["seat_identity"]) for one in approvers),
        ]
        alive, refusals = await self._eligibility.alive(caller.tenant, row["identity"], seats)
        if refusals[0]:
            raise NotEntitled(cause=refusals[0])
        stands_for = (one["person"] for one in principals)
        return Electorate(
            voter=alive[caller.person],
            stands_for=tuple(alive[person] for person in stands_for if person in alive),
            void=Eligibility.void(
                requirements.read(gate["approval"]), approvers, alive, gate["escalated"]
            ),
        )

    def _vote(
        self,
        caller: Caller,
        row: Row,
        after: Checkpoint,
        ballot: Ballot,
        option: Option,
        comment: str,
    ) -> dict[str, Any]:
        """The vote as `governance.cast_vote` takes it, with its events."""
        seat = next((one for one in row["principals"] if one["person"] == ballot.seat), None)
        vote_id = new_id()
        about = _about(row)
        events = [
            audit_events.checkpoint_changed(
                about,
                after.state.value,
                vote=vote_id,
                option=option.value,
                token=digest(caller.token.encode()),
                stage=str(ballot.stage),
                seat=seat["person"] if seat else "",
            )
        ]
        if after.state is not State.PENDING:
            events.append(audit_events.vote_cast(about, vote_id, option.value))
        return {
            **eyes(caller, self._clock.offset),
            "principals": row["principals"],
            "version": about["version"],
            "state": after.state.value,
            "valid_until": after.valid_until.isoformat() if after.valid_until else None,
            "comment": comment,
            "about": {name: row[name] for name in ("agent", "tool", "kind")},
            "row": {
                "vote_id": vote_id,
                "checkpoint_id": about["checkpoint_id"],
                "person": caller.person,
                "voter_identity": caller.identity,
                "actor": caller.actor,
                "option": option.value,
                "session": caller.session,
                "authentication": " ".join(map(str, caller.claims.get("amr", ()))),
                "token_id": caller.token_id,
                "stage": ballot.stage,
                "seat": seat["person"] if seat else None,
                "seat_identity": seat["identity"] if seat else None,
                "token": caller.token,
                "token_key": self._keys.signer(caller.token),
            },
            "events": [outbox_row(event) for event in events],
        }

    def _permitted(self, row: Row, after: Checkpoint, stored: Row) -> Verdict | None:
        """What the run that waits would be told if it asked now.

        None where more than the votes stand between it and a permit, which the door looks at: an
        agent's scope, a freeze. Who is entitled was asked this moment, for every vote. Nor are an
        edited action's bytes for all who can listen.
        """
        issued_at = datetime.fromisoformat(stored["issued_at"])
        usable = after.usable(self._clock.at(issued_at))
        if not usable or stored["freeze"] or row["agent"] or row["checkpoint"]["edited_action"]:
            return None
        if not row["run"] or row["refusal"] or not row["action"]:
            return None
        verdict = self._verdicts.tell(row, Answer.PERMITTED)
        action = Action.parse(row["action"].encode())
        self._verdicts.permit(verdict, action, stored["freeze_epoch"], issued_at)
        return verdict


def _about(row: Row) -> dict[str, Any]:
    """The checkpoint, with what its events tell of the decision."""
    gate: dict[str, Any] = row["checkpoint"]
    return gate | {
        "action_digest": gate["edited_digest"] or row["action_digest"],
        "sphere": row["sphere"],
        "executor": row["executor"],
    }


def _standing(row: Row) -> Checkpoint:
    gate = row["checkpoint"]
    requirement = requirements.read(gate["approval"])
    return Checkpoint(
        checkpoint_id=gate["checkpoint_id"],
        state=State(gate["state"]),
        etag=gate["etag"],
        expire_time=datetime.fromisoformat(gate["expire_time"]),
        requirement=requirement,
        ballots=tuple(
            Ballot(one["person"], one["seat"], one["stage"]) for one in gate["approvers"]
        ),
        excluded=frozenset({row["person"], *gate["editors"]} if requirement.four_eyes else ()),
        escalated=gate["escalated"],
        claimed_by=gate["claimed_by"] or "",
        claim_until=_moment(gate["claim_until"]),
        valid_until=_moment(gate["valid_until"]),
        execute_by=_moment(gate["execute_by"]),
        executed=gate["executed"],
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _check_token(caller: Caller, checkpoint_id: str, etag: str) -> None:
    """The token was bought for this checkpoint and this view, or it buys nothing here."""
    if caller.claims.get("checkpoint") != checkpoint_id:
        raise NotEntitled(cause="ANOTHER_CHECKPOINT", subject=f"checkpoint/{checkpoint_id}")
    if caller.claims.get("view_digest") != etag:
        raise EtagMismatch("the vote token was made for another view; look again")


def _was_cast(row: Row, option: Option, comment: str) -> bool:
    """Whether the token has cast this very vote; VoteTokenUsed where it has cast another."""
    if row["cast_before"] is None:
        return False
    if row["cast_before"] != [option.value, comment]:
        raise VoteTokenUsed
    return True


def _check_means(caller: Caller, row: Row, standing: Checkpoint) -> None:
    """What came from a mail or a chat counts up to the class that the requirement names."""
    if not _REMOTE.intersection(caller.claims.get("amr", ())):
        return
    if not decides_from_afar(standing.requirement, messages.RISKS[row["risk"]]):
        most = RiskClass.Name(standing.requirement.remote_risk_class)
        raise LoginRequired(risk=row["risk"], remote_risk_class=most)
