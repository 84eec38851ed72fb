"""Standing grants: made by an approval of their terms, listed, revoked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from chenu.governance.v1 import grant_service_pb2 as rpc
from chenu.governance.v1.authorization_service_pb2 import Verdict
from chenu.governance.v1.grant_pb2 import ArgumentConstraint, Grant, GrantTerms
from chenu_gate.action import ActionKind
from chenu_gate.tools import Tool
from kernel.caller import Caller
from kernel.database import Database, Record, Transaction
from kernel.errors import Forbidden
from kernel.pagination import PageTokens, page_size
from kernel.statement import Statement
from services.governance import audit_events, messages
from services.governance.clock import Clock
from services.governance.errors import GrantInvalid
from services.governance.holds.coverage import may_be_granted
from services.governance.operations import (
    Approved,
    Found,
    Operation,
    OperationRefused,
    Operations,
)
from services.governance.policy.rule import OWN_EXECUTOR

LONGEST: Final = timedelta(days=30)
CREATE: Final = Tool.declare(
    name="grant.create",
    description="Grants actions in advance, within these bounds, without asking each time.",
    input_schema={
        "type": "object",
        "properties": {
            "tool": {"type": "string"},
            "kind": {"type": "string"},
            "agent": {"type": "string"},
            "constraints": {"type": "array"},
            "target_ids": {"type": "array"},
            "any_target": {"type": "boolean"},
            "uses": {"type": "integer"},
            "amount_argument": {"type": "string"},
            "total": {"type": "integer"},
            "end_time": {"type": "string"},
        },
        "required": [
            "tool", "kind", "agent", "constraints", "target_ids", "any_target", "uses",
            "amount_argument", "total", "end_time",
        ],
        "additionalProperties": False,
    },
    kind=ActionKind.CONFIGURE,
    executor=OWN_EXECUTOR,
)  # fmt: skip
_COLUMNS: Final = "grant_id, terms, uses_left, total_left, end_time, create_time, revoke_time"
_MAKE: Final = Statement(
    "INSERT INTO grants (grant_id, tenant, identity, tool, kind, agent, terms, uses_left,"
    " total_left, end_time) VALUES (:grant_id, :tenant, :identity, :tool, :kind, :agent, :terms,"
    " :uses, :total, CAST(CAST(:end_time AS text) AS timestamptz))"
)
_GET: Final = Statement(f"SELECT {_COLUMNS} FROM grants WHERE grant_id = :grant_id")  # noqa: S608
_LIST: Final = Statement(
    f"SELECT {_COLUMNS} FROM grants WHERE (create_time, grant_id) < (:before_time, :before_id)"  # noqa: S608
    " ORDER BY create_time DESC, grant_id DESC LIMIT :size"
)
_REVOKE: Final = Statement(
    "UPDATE grants SET revoke_time = clock_timestamp()"
    " WHERE grant_id = :grant_id AND revoke_time IS NULL"
)


class Grants:
    """The calling identity's standing grants."""

    def __init__(self, database: Database, pages: PageTokens, clock: Clock) -> None:
        self._database, self._pages, self._clock = database, pages, clock

    def operation(self) -> Operation:
        """How an approved grant is made."""
        return Operation(CREATE, self._make)

    async def ask(
        self, operations: Operations, caller: Caller, request: rpc.CreateGrantRequest
    ) -> Verdict:
        """The checkpoint by which the owner decides on the terms."""
        wanted = self._arguments(request.terms)
        return await operations.ask(caller, CREATE, request.request_id, wanted, _nothing_more)

    async def page(self, caller: Caller, request: rpc.ListGrantsRequest) -> tuple[list[Grant], str]:
        """A page, the latest first, and the token of the next one."""
        size = page_size(request.page_size)
        place = self._pages.before(request)
        async with self._database.transaction(caller) as tx:
            rows = await tx.fetch(_LIST, size=size + 1, **place)
        page, token = self._pages.by_time(rows, size, request, "create_time", "grant_id")
        return [_message(row) for row in page], token

    async def revoke(self, caller: Caller, grant_id: str) -> Grant:
        """End it at once."""
        async with self._database.transaction(caller) as tx:
            if await tx.execute(_REVOKE, grant_id=grant_id):
                tx.emit(audit_events.grant_revoked(grant_id))
            row = await tx.fetch_one(_GET, grant_id=grant_id)
        if row is None:
            raise Forbidden(subject=f"grant/{grant_id}")
        return _message(row)

    def _arguments(self, terms: GrantTerms) -> dict[str, Any]:
        """The terms as people are shown them; GrantInvalid where they bound nothing."""
        kind = messages.word_of(messages.KINDS, terms.action_kind)
        end, now = messages.moment(terms.end_time), self._clock.at(datetime.now(UTC))
        if not may_be_granted(ActionKind(kind)):
            raise GrantInvalid(cause="IRREVERSIBLE")
        if not now < end <= now + LONGEST:
            raise GrantInvalid(cause="END_TIME")
        if bool(terms.amount_argument) != bool(terms.total):
            raise GrantInvalid(cause="TOTAL")
        if any(_bounds(one) != 1 for one in terms.constraints):
            raise GrantInvalid(cause="CONSTRAINT")
        return {
            "tool": terms.tool,
            "kind": kind,
            "agent": terms.agent_id,
            "constraints": [_constraint(one) for one in terms.constraints],
            "target_ids": list(terms.target_ids),
            "any_target": terms.any_target,
            "uses": terms.uses,
            "amount_argument": terms.amount_argument,
            "total": terms.total,
            "end_time": end.isoformat(timespec="seconds"),
        }

    async def _make(self, tx: Transaction, approved: Approved) -> None:
        terms = approved.action.document()["arguments"]
        if datetime.fromisoformat(terms["end_time"]) <= self._clock.at(datetime.now(UTC)):
            raise OperationRefused("GRANT_ENDED")
        own = {"tenant": approved.caller.tenant, "identity": approved.caller.identity}
        named = {name: terms[name] for name in ("tool", "kind", "agent", "uses", "end_time")}
        # A grant without an amount takes nothing of a total that is not looked at.
        await tx.execute(
            _MAKE, grant_id=approved.decision_id, terms=terms, total=terms["total"], **own, **named
        )
        tx.emit(audit_events.grant_created(approved.decision_id, **own))


async def _nothing_more() -> Found:
    """The terms are all that there is to know."""
    return Found()


def _bounds(one: ArgumentConstraint) -> int:
    return bool(one.values) + one.HasField("at_most") + one.anything


def _constraint(one: ArgumentConstraint) -> dict[str, Any]:
    return {
        "argument": one.argument,
        "values": list(one.values),
        "at_most": one.at_most if one.HasField("at_most") else None,
        "anything": one.anything,
    }


def _message(row: Record) -> Grant:
    terms = row["terms"]
    told = GrantTerms(
        tool=terms["tool"],
        action_kind=messages.KINDS[terms["kind"]],
        agent_id=terms["agent"],
        constraints=[
            ArgumentConstraint(
                argument=one["argument"],
                values=one["values"],
                at_most=one["at_most"],
                anything=one["anything"],
            )
            for one in terms["constraints"]
        ],
        target_ids=terms["target_ids"],
        any_target=terms["any_target"],
        uses=terms["uses"],
        amount_argument=terms["amount_argument"],
        total=terms["total"],
        end_time=messages.stamp(row["end_time"]),
    )
    return Grant(
        grant_id=row["grant_id"],
        terms=told,
        uses_left=row["uses_left"],
        total_left=row["total_left"],
        create_time=messages.stamp(row["create_time"]),
        revoke_time=messages.stamp(row["revoke_time"]),
    )
