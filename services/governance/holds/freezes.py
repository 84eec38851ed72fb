"""The brake: freezes are made at once by one person, and lifted by people who agree."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from chenu.governance.v1 import freeze_service_pb2 as rpc
from chenu.governance.v1.authorization_service_pb2 import Verdict
from chenu.governance.v1.freeze_pb2 import Freeze, FreezeScope
from chenu_gate.action import ActionKind, Target
from chenu_gate.permit import MAX_LEEWAY
from chenu_gate.tools import TargetArgument, Tool
from kernel.caller import SYSTEM_TENANT, Caller
from kernel.context import new_id
from kernel.database import Database, Record, Transaction
from kernel.errors import Forbidden
from kernel.messaging import Messaging
from kernel.pagination import PageTokens, page_size
from kernel.statement import Statement
from services.governance import audit_events, messages
from services.governance.clock import Clock
from services.governance.errors import FreezeLifted, TooManyFreezes
from services.governance.operations import (
    Approved,
    Found,
    Operation,
    OperationRefused,
    Operations,
)
from services.governance.policy.rule import OWN_EXECUTOR
from services.governance.review.eligibility import Eligibility
from services.governance.review.keepers import quorum

WAKE_SUBJECT: Final = "governance.freezes"
OPERATOR: Final = "operator"
EVERYBODY: Final = "all"
MOST_IN_FORCE: Final = 500
"""Of a tenant; executors ask for all of all tenants at once."""
LIFT: Final = Tool.declare(
    name="freeze.lift",
    description="Lifts a freeze: what it stopped may be permitted again.",
    input_schema={
        "type": "object",
        "properties": {
            "freeze": {"type": "string"},
            "scope": {"type": "string"},
            "value": {"type": "string"},
            "frozen_since": {"type": "string"},
            "frozen_by": {"type": "string"},
            "frozen_by_name": {"type": "string"},
            "required_approvals": {"type": "integer"},
            "not_before": {"type": "string"},
        },
        "required": [
            "freeze",
            "scope",
            "value",
            "frozen_since",
            "frozen_by",
            "frozen_by_name",
            "required_approvals",
            "not_before",
        ],
        "additionalProperties": False,
    },
    kind=ActionKind.CONFIGURE,
    executor=OWN_EXECUTOR,
    target_arguments=(TargetArgument("freeze", "freeze"),),
)

_COLUMNS: Final = (
    "freeze_id, tenant, person, scope, value, reason, epoch, create_time, effective_time, lift_time"
)
_IN_FORCE: Final = Statement(
    f"SELECT {_COLUMNS} FROM freezes WHERE tenant = :tenant AND scope = :scope"  # noqa: S608
    " AND value = :value AND lift_time IS NULL"
)
_MAKE: Final = Statement(
    "INSERT INTO freezes (freeze_id, tenant, person, scope, value, reason, epoch)"
    " SELECT :freeze_id, :tenant, :person, :scope, :value, :reason, raise_freeze_epoch()"
    " ON CONFLICT (tenant, scope, value) WHERE lift_time IS NULL DO NOTHING RETURNING epoch"
)
_MANY: Final = Statement(
    "SELECT count(*) AS many FROM freezes WHERE tenant = :tenant AND lift_time IS NULL"
)
# In a transaction of its own: the moment must lie after the commit of the freeze.
_DATE: Final = Statement(
    "UPDATE freezes SET effective_time = clock_timestamp() + CAST(:within AS interval)"
    " WHERE freeze_id = :freeze_id AND effective_time IS NULL"
)
_GET: Final = Statement(f"SELECT {_COLUMNS} FROM freezes WHERE freeze_id = :freeze_id")  # noqa: S608
_LIST: Final = Statement(
    f"SELECT {_COLUMNS} FROM freezes WHERE (:lifted OR lift_time IS NULL)"  # noqa: S608
    " AND (create_time, freeze_id) < (:before_time, :before_id)"
    " ORDER BY create_time DESC, freeze_id DESC LIMIT :size"
)
_STATE: Final = Statement(
    "SELECT tenant, scope, value, epoch FROM freezes WHERE lift_time IS NULL UNION ALL"
    " SELECT tenant, scope, value, epoch FROM freezes"
    " WHERE lift_time > (SELECT clock_timestamp() - interval '1 minute') ORDER BY epoch"
)
_LIFT: Final = Statement(
    "UPDATE freezes SET lift_time = clock_timestamp(), lift_decision = :decision_id"
    " WHERE freeze_id = :freeze_id AND lift_time IS NULL"
    " RETURNING freeze_id, tenant, scope, value, epoch"
)


class Freezes:
    """Makes, shows and lifts freezes.

    `operator_tenant` is whose operators may stop everybody; empty means that nobody may.
    `permit_life` is how long a permit lives: then the last one from before a freeze is over.
    """

    def __init__(
        self,
        *,
        database: Database,
        worker: Database,
        messaging: Messaging,
        pages: PageTokens,
        eligibility: Eligibility,
        clock: Clock,
        permit_life: timedelta,
        lift_delay: timedelta,
        operator_tenant: str,
    ) -> None:
        self._operator_tenant = operator_tenant
        self._clock = clock
        self._database, self._worker = database, worker
        self._messaging, self._pages, self._eligibility = messaging, pages, eligibility
        self._within, self._lift_delay = permit_life + MAX_LEEWAY, lift_delay

    async def freeze(self, caller: Caller, scope: str, value: str, reason: str) -> Freeze:
        """Stop it. Once this returns, nothing of it is permitted; see `effective_time`."""
        if scope == EVERYBODY and not self._is_operator(caller):
            raise Forbidden(subject="freeze/all")
        async with self._database.transaction(caller) as tx:
            tenant = SYSTEM_TENANT if scope == EVERYBODY else caller.tenant
            wanted = {"tenant": tenant, "scope": scope, "value": value}
            freeze_id = await _found(tx, wanted) or await _make(tx, caller, wanted, reason)
        async with self._database.transaction(caller) as tx:
            await tx.execute(_DATE, freeze_id=freeze_id, within=self._within)
            row: Any = await tx.fetch_one(_GET, freeze_id=freeze_id)
        await self._messaging.wake(WAKE_SUBJECT)
        return _message(row)

    async def page(
        self, caller: Caller, request: rpc.ListFreezesRequest
    ) -> tuple[list[Freeze], str]:
        """A page, the latest first, and the token of the next one."""
        size = page_size(request.page_size)
        place = self._pages.before(request)
        async with self._database.transaction(caller) as tx:
            rows = await tx.fetch(_LIST, lifted=request.include_lifted, size=size + 1, **place)
        page, token = self._pages.by_time(rows, size, request, "create_time", "freeze_id")
        return [_message(row) for row in page], token

    async def state(self) -> Sequence[rpc.FreezeInForce]:
        """What executors refuse permits by, of all tenants."""
        async with self._worker.work() as tx:
            rows = await tx.fetch(_STATE)
        return [
            rpc.FreezeInForce(
                scope=SCOPES[row["scope"]],
                value=row["value"],
                tenant_id="" if row["scope"] == EVERYBODY else row["tenant"],
                epoch=row["epoch"],
            )
            for row in rows
        ]

    async def lift(
        self, caller: Caller, operations: Operations, freeze_id: str, request_id: str
    ) -> tuple[Freeze, Verdict]:
        """Ask people whether it may be lifted; the freeze, and what they are asked."""
        async with self._database.transaction(caller) as tx:
            row = await tx.fetch_one(_GET, freeze_id=freeze_id)
        if row is None or (row["scope"] == EVERYBODY and not self._is_operator(caller)):
            raise Forbidden(subject=f"freeze/{freeze_id}")
        wanted = {"freeze": row["freeze_id"]}
        find_out = partial(self._found_out, caller, row)
        return _message(row), await operations.ask(caller, LIFT, request_id, wanted, find_out)

    async def _found_out(self, caller: Caller, row: Record) -> Found:
        """Whose freeze of what it is, and who lets go of it."""
        if row["lift_time"] is not None:
            raise FreezeLifted(freeze_id=row["freeze_id"])
        # Whoever is alone suffices, but the freeze is held for a while.
        agreement = await quorum(self._eligibility, caller, "freeze keepers")
        held = self._clock.at(datetime.now(UTC)) + self._lift_delay
        return Found(
            approval=agreement.requirement,
            arguments={
                "scope": row["scope"],
                "value": row["value"],
                "frozen_since": row["create_time"].isoformat(),
                "frozen_by": row["person"],
                "frozen_by_name": await self._eligibility.name(caller, row["person"]) or "",
                "required_approvals": agreement.approvals,
                "not_before": held.isoformat(timespec="seconds") if agreement.alone else "",
            },
            targets=[Target("freeze", row["freeze_id"], str(row["epoch"]))],
        )

    def _is_operator(self, caller: Caller) -> bool:
        """The owners of any tenant can give the role; it counts in one of them."""
        return OPERATOR in caller.roles and caller.tenant == self._operator_tenant

    def operation(self) -> Operation:
        """How an approved lifting is done."""
        return Operation(LIFT, self._lift)

    async def _lift(self, tx: Transaction, approved: Approved) -> None:
        (target,) = approved.action.targets
        row = await tx.fetch_one(_LIFT, freeze_id=target.id, decision_id=approved.decision_id)
        if row is None:
            raise OperationRefused("FREEZE_LIFTED")
        tx.emit(audit_events.freeze_lifted(row, approved.caller, approved.decision_id))


SCOPES: Final = messages.words(FreezeScope, "FREEZE_SCOPE_")


async def _found(tx: Transaction, wanted: dict[str, str]) -> str:
    """The freeze of exactly this that is in force; empty where there is none."""
    row = await tx.fetch_one(_IN_FORCE, **wanted)
    return row["freeze_id"] if row is not None else ""


async def _make(tx: Transaction, caller: Caller, wanted: dict[str, str], reason: str) -> str:
    found: Any = await tx.fetch_one(_MANY, tenant=wanted["tenant"])
    if wanted["value"] and found["many"] >= MOST_IN_FORCE:
        raise TooManyFreezes(limit=str(MOST_IN_FORCE))
    freeze_id = new_id()
    made = await tx.fetch_one(
        _MAKE, freeze_id=freeze_id, person=caller.person, reason=reason, **wanted
    )
    if made is None:  # somebody else was faster
        return await _found(tx, wanted)
    tx.emit(
        audit_events.freeze_created(
            freeze_id, scope=wanted["scope"], value=wanted["value"], epoch=str(made["epoch"])
        )
    )
    return freeze_id


def _message(row: Record) -> Freeze:
    return Freeze(
        freeze_id=row["freeze_id"],
        scope=SCOPES[row["scope"]],
        value=row["value"],
        epoch=row["epoch"],
        reason=row["reason"],
        person_id=row["person"],
        create_time=messages.stamp(row["create_time"]),
        effective_time=messages.stamp(row["effective_time"]),
        lift_time=messages.stamp(row["lift_time"]),
    )
