"""What the rules in the shadow would have decided otherwise."""

from __future__ import annotations

from typing import Final

from chenu.governance.v1.rule_pb2 import ReplayedDecision
from chenu.governance.v1.rule_service_pb2 import ListShadowVerdictsRequest, ShadowVerdict
from kernel.caller import Caller
from kernel.database import Database, Record
from kernel.pagination import PageTokens, page_size
from kernel.statement import Statement
from services.governance import audit_events
from services.governance.messages import EFFECTS, KINDS, stamp
from services.governance.policy.replays import CHANGES
from services.governance.policy.rule_revisions import check_keeper

_LIST: Final = Statement(
    "SELECT decision_id, revision, kind, tool, change, recorded_effect, recorded_rule, effect,"
    " rule, create_time FROM shadow_verdicts"
    " WHERE (create_time, decision_id) < (:before_time, :before_id)"
    " AND (:revision = '' OR revision = :revision)"
    " ORDER BY create_time DESC, decision_id DESC LIMIT :size"
)


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
        place = self._pages.before(request)
        async with self._database.transaction(caller) as tx:
            rows = await tx.fetch(_LIST, **place, revision=request.revision, size=size + 1)
            read = min(len(rows), size)
            tx.emit(audit_events.others_read("shadow_verdicts.read", caller.tenant, read))
        page, token = self._pages.by_time(rows, size, request, "create_time", "decision_id")
        return [_verdict(row) for row in page], token


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
