"""The words of the built-in rules of every release that served, so that evidence can open them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kernel.database import Database, Record, Transaction
from kernel.statement import Statement
from services.governance.evidence import audit_events
from services.governance.policy.rules import RuleSet, words_of

_KEEP: Final = Statement(
    "INSERT INTO built_in_rules (revision, words) VALUES (:revision, :words)"
    " ON CONFLICT (revision) DO NOTHING"
)
_READ: Final = Statement(
    "SELECT words FROM built_in_rules WHERE revision = ANY (CAST(:revisions AS text[]))"
)


async def keep(worker: Database, rules: RuleSet) -> None:
    """Put down what this release goes by, unless it is there: a background task that ends."""
    async with worker.work() as tx:
        words = words_of(rules.rules).decode()
        if await tx.execute(_KEEP, revision=rules.revision, words=words):
            tx.emit(audit_events.built_in_rules_kept(rules.revision))


async def named(tx: Transaction, rows: Iterable[Record]) -> list[bytes]:
    """Those that the decisions in these rows, and their edits, were judged beside."""
    revisions = {
        one["facts"].get("built_in", "")
        for row in rows
        for one in (row["decision"], *(row["edits"] or ()))
    }
    return [row["words"].encode() for row in await tx.fetch(_READ, revisions=sorted(revisions))]
