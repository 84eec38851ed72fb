"""Delegations: a person, or an agent, lets Nova act, until a deadline.

The row is written once and never changed. Whether it still holds is asked of
what it stands on: the person, the session or the agent, and the clock.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from kernel.caller import Caller
from kernel.context import current, new_id
from kernel.database import Database, Record
from kernel.errors import Forbidden
from kernel.statement import Statement
from services.identity import audit_events
from services.identity.agents import limited
from services.identity.errors import DelegationEnded, SessionInvalid
from services.identity.settings import IdentitySettings
from services.identity.tokens import Issued, Tokens

_TYP: Final = "delegation+jwt"
_INSERT: Final = Statement(
    "INSERT INTO delegations"
    " (delegation_id, tenant_id, user_id, identity_id, agent_id, session_id, deadline)"
    " VALUES (:delegation, :tenant, :person, :identity, :agent, :session,"
    " clock_timestamp() + :clock_offset + :life) RETURNING deadline"
)
# Whoever may not (foreign identity) and whoever may no more (session, agent, person) are told
# apart by two answers, found in one round trip.
_READ_CALLER: Final = Statement(
    "SELECT u.roles, EXISTS (SELECT FROM identities WHERE identity_id = :identity) AS holds,"
    " u.deactivate_time IS NULL AND CASE WHEN CAST(:agent AS uuid) IS NULL"
    " THEN EXISTS (SELECT FROM sessions WHERE session_id = :session AND end_time IS NULL"
    " AND expire_time > clock_timestamp() + :clock_offset)"
    " ELSE EXISTS (SELECT FROM agents WHERE agent_id = :agent AND fire_time IS NULL) END AS good"
    ", (SELECT jsonb_build_object('scopes', scopes, 'always_gated', always_gated) FROM agents"
    " WHERE agent_id = :agent) AS limits FROM users AS u WHERE u.user_id = :person"
)
_READ: Final = Statement(
    "SELECT d.deadline, d.deadline - (clock_timestamp() + :clock_offset) AS remaining, u.roles,"
    " u.deactivate_time IS NOT NULL AS person_gone,"
    " jsonb_build_object('scopes', a.scopes, 'always_gated', a.always_gated) AS limits,"
    " a.fire_time IS NOT NULL AS agent_fired, s.end_time IS NOT NULL AS session_ended"
    " FROM delegations AS d JOIN users AS u USING (user_id)"
    " LEFT JOIN agents AS a ON a.agent_id = d.agent_id"
    " LEFT JOIN sessions AS s ON s.session_id = d.session_id"
    " WHERE d.delegation_id = :delegation"
)


class Delegated(NamedTuple):
    """A delegation token, and until when it may be renewed."""

    issued: Issued
    deadline: datetime


class Delegations:
    """Their issue to callers and their renewal for Nova."""

    def __init__(self, database: Database, tokens: Tokens, settings: IdentitySettings) -> None:
        self._database, self._tokens = database, tokens
        self._offset, self._life = settings.clock_offset, settings.delegation_deadline

    async def exchange(self, caller: Caller, identity_id: str) -> Delegated:
        """A delegation for the calling identity, or for another one of the same person."""
        if caller.agent and identity_id not in ("", caller.identity):
            raise Forbidden(subject=f"identity/{identity_id}")  # an agent has but one identity
        caller = replace(caller, identity=identity_id or caller.identity)
        agent, session = caller.agent or None, caller.session or None
        async with self._database.transaction(caller) as tx:
            found = await tx.fetch_one(
                _READ_CALLER, person=caller.person, identity=caller.identity, agent=agent,
                session=session, clock_offset=self._offset,
            )  # fmt: skip
            if found is None or not found["good"]:
                raise SessionInvalid
            if not found["holds"]:
                raise Forbidden(subject=f"identity/{identity_id}")
            delegation = new_id()
            (row,) = await tx.fetch(
                _INSERT, delegation=delegation, tenant=caller.tenant, person=caller.person,
                identity=caller.identity, agent=agent, session=session, life=self._life,
                clock_offset=self._offset,
            )  # fmt: skip
            caller = _with_roles(caller, found)
            issued = self._tokens.delegation(caller, delegation, self._life)
            tx.emit(audit_events.delegation_issued(caller, delegation, issued.token_id))
        return Delegated(issued, row["deadline"])

    async def renew(self, token: str) -> Delegated:
        """A fresh token for one that was issued here, expired or not; DelegationEnded if over."""
        claims = self._tokens.read(token, _TYP, "nova", expired_too=True)
        delegation = claims["delegation"]
        caller = Caller(
            tenant=claims["tenant"], person=claims["sub"], identity=claims["identity"],
            actor=claims["actor"], agent=claims.get("agent", ""), session=claims.get("sid", ""),
            service=current().caller.service,
        )  # fmt: skip
        async with self._database.transaction(caller) as tx:
            row = await tx.fetch_one(_READ, delegation=delegation, clock_offset=self._offset)
            if row is None or not _holds(row):
                raise DelegationEnded(subject=f"delegation/{delegation}")
            caller = _with_roles(caller, row)
            issued = self._tokens.delegation(caller, delegation, row["remaining"])
            tx.emit(audit_events.delegation_renewed(caller, delegation, issued.token_id))
        return Delegated(issued, row["deadline"])


def _holds(row: Record) -> bool:
    """Whether Nova may go on: all that the delegation stands on is still good."""
    over = row["person_gone"] or row["agent_fired"] or row["session_ended"]
    return not over and row["remaining"] >= timedelta(seconds=1)


def _with_roles(caller: Caller, row: Record) -> Caller:
    """A person's roles of today; an agent has none, and the limits of today instead."""
    if caller.agent:
        return limited(caller, row["limits"])
    return replace(caller, roles=tuple(row["roles"]))
