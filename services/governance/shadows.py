"""What the rules in the shadow would have decided otherwise."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from chenu.governance.v1.rule_pb2 import ReplayedDecision
from chenu.governance.v1.rule_service_pb2 import ListShadowVerdictsRequest, ShadowVerdict
from kernel.caller import Caller
from kernel.database import Database, Record
from kernel.pagination import PageTokens, page_size
from kernel.statement import Statement
from services.governance.messages import EFFECTS, KINDS, stamp
from services.governance.replays import CHANGES
from services.governance.rule_revisions import check_keeper

_LIST: Final = Statement(
    "SELECT decision_id, revision, kind, tool, change, recorded_effect, recorded_rule, effect,"
    " rule, create_time FROM shadow_verdicts"
    " WHERE (create_time, decision_id) < (:time, :id) AND (:revision = '' OR revision = :revision)"
    " ORDER BY create_time DESC, decision_id DESC LIMIT :size"
)
_LATEST: Final = {
    "time": datetime(9999, 1, 1, tzinfo=UTC),
    "id": "ffffffff-ffff-ffff-ffff-ffffffffffff",
}


class Shadows:
    """Reads them; they are noted with the decisions themselves."""

    def __init__(self, database: Database, pages: PageTokens) -> None:
        self._database, self._pages = database, pages

    async def page(
        self, caller: Caller, request: ListShadowVerdictsRequest
    ) -> tuple[list[ShadowVerdict], str]:
        """A page of the tenant's, the latest first, and the token of the next."""
        check_keeper(caller)
        size = page_size(request.page_size)
        after = self._pages.decode(request.page_token, request)
        cursor: dict[str, Any] = _LATEST
        if after is not None:
            cursor = {"time": datetime.fromisoformat(after["t"]), "id": after["id"]}
        async with self._database.transaction(caller) as tx:
            rows = await tx.fetch(_LIST, **cursor, revision=request.revision, size=size + 1)
        token = ""
        if len(rows) > size:
            last = rows[size - 1]
            position = {"t": last["create_time"].isoformat(), "id": last["decision_id"]}
            token = self._pages.encode(position, request)
        return [_verdict(row) for row in rows[:size]], token


def _verdict(row: Record) -> ShadowVerdict:
    return ShadowVerdict(
        revision=row["revision"],
        decision=ReplayedDecision(
            decision_id=row["decision_id"],
            create_time=stamp(row["create_time"]),
            kind=KINDS[row["kind"]],
            tool=row["tool"],
            change=CHANGES[row["change"]],
            recorded_effect=EFFECTS[row["recorded_effect"]],
            recorded_rule=row["recorded_rule"],
            effect=EFFECTS[row["effect"]],
            rule=row["rule"],
        ),
    )
