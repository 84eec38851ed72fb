"""Revisions of a tenant's rules, and the names that point to them."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from chenu.governance.v1.rule_pb2 import RuleDocument, RuleLabel, RuleRevision
from chenu.governance.v1.rule_service_pb2 import (
    CreateRuleRevisionRequest,
    ListRuleRevisionsRequest,
)
from kernel.caller import Caller
from kernel.database import Database, Record
from kernel.errors import Forbidden
from kernel.messaging import Messaging
from kernel.pagination import PageTokens, page_size
from kernel.statement import Statement
from services.governance import audit_events
from services.governance.errors import LabelReserved, NotARuleKeeper, RulesInvalid
from services.governance.messages import stamp
from services.governance.policy import rule_documents
from services.governance.policy.rule import RuleInvalid
from services.governance.policy.rule_book import LIVE, SHADOW, WAKE_SUBJECT, RuleBook, hint
from services.governance.policy.rules import RuleSet
from services.governance.review.keepers import KEEPER

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_COLUMNS: Final = (
    "SELECT r.revision, r.description, r.rule_count, r.person, r.create_time, r.built_in,"
    " ARRAY(SELECT label FROM rule_labels AS l"
    " WHERE l.tenant = r.tenant AND l.revision = r.revision ORDER BY label) AS labels"
)
_GET: Final = Statement(
    f"{_COLUMNS}, r.document FROM rule_revisions AS r WHERE r.revision = :revision"
)
_LIST: Final = Statement(
    f"{_COLUMNS}, NULL AS document FROM rule_revisions AS r"
    " WHERE (r.create_time, r.revision) < (:before_time, :before_id)"
    " ORDER BY r.create_time DESC, r.revision DESC LIMIT :size"
)
_INSERT: Final = Statement(
    "INSERT INTO rule_revisions"
    " (tenant, revision, document, description, rule_count, person, built_in)"
    " VALUES (:tenant, :revision, :document, :description, :rule_count, :person, :built_in)"
    " ON CONFLICT (tenant, revision) DO NOTHING"
)
_LABELS: Final = Statement(
    "SELECT label, revision, person, change_time, version FROM rule_labels ORDER BY label"
)
_LABEL: Final = Statement("SELECT revision FROM rule_labels WHERE label = :label")
_POINT: Final = Statement(
    "INSERT INTO rule_labels AS l (tenant, label, revision, version, person)"
    " VALUES (:tenant, :label, :revision, 1, :person) ON CONFLICT (tenant, label) DO UPDATE SET"
    " revision = excluded.revision, version = l.version + 1, person = excluded.person,"
    " change_time = clock_timestamp()"
    " RETURNING label, revision, person, change_time, version"
)


def check_keeper(caller: Caller) -> None:
    """Raise unless the caller keeps the tenant's rules."""
    if KEEPER not in caller.roles:
        raise NotARuleKeeper(role=KEEPER)


class RuleRevisions:
    """Puts revisions in and finds them; what holds is `promotion`'s."""

    def __init__(
        self, database: Database, messaging: Messaging, pages: PageTokens, book: RuleBook
    ) -> None:
        self._database, self._messaging = database, messaging
        self._pages, self._book = pages, book

    async def create(self, caller: Caller, request: CreateRuleRevisionRequest) -> RuleRevision:
        """The revision of a document, stored unless it was or is only to be looked at."""
        check_keeper(caller)
        rules = await self._compiled(request.document)
        own = rule_documents.own_rules(rules)
        if request.validate_only:
            return RuleRevision(
                revision=rules.revision,
                document=rule_documents.document(rules),
                description=request.description,
                rule_count=len(own),
                built_in_revision=rules.built_in_revision,
            )
        async with self._database.transaction(caller) as tx:
            made = await tx.execute(
                _INSERT,
                tenant=caller.tenant,
                revision=rules.revision,
                document=rule_documents.stored(rules),
                description=request.description,
                rule_count=len(own),
                person=caller.person,
                built_in=rules.built_in_revision,
            )
            if made:
                tx.emit(
                    audit_events.rules_drafted(
                        rules.revision, rules=str(len(own)), built_in=rules.built_in_revision
                    )
                )
            row = await tx.fetch_one(_GET, revision=rules.revision)
        assert row is not None, "it was stored in this transaction or before"  # noqa: S101
        return _revision(row)

    async def get(self, caller: Caller, name: str) -> RuleRevision:
        """A revision by its hash or a label, whole."""
        revision = await self.named(caller, name)
        async with self._database.transaction(caller) as tx:
            row = await tx.fetch_one(_GET, revision=revision)
        if row is None:
            raise Forbidden(subject=f"rule_revision/{name}")
        return _revision(row)

    async def page(
        self, caller: Caller, request: ListRuleRevisionsRequest
    ) -> tuple[list[RuleRevision], str]:
        """A page, the latest first, and the token of the next."""
        size = page_size(request.page_size)
        place = self._pages.before(request)
        async with self._database.transaction(caller) as tx:
            rows = await tx.fetch(_LIST, **place, size=size + 1)
        page, token = self._pages.by_time(rows, size, request, "create_time", "revision")
        return [_revision(row) for row in page], token

    async def labels(self, caller: Caller) -> list[RuleLabel]:
        """All labels of the tenant."""
        async with self._database.transaction(caller) as tx:
            return [_label(row) for row in await tx.fetch(_LABELS)]

    async def point(self, caller: Caller, label: str, revision: str) -> RuleLabel:
        """Have a label point to a revision, or to nothing."""
        check_keeper(caller)
        if label == LIVE:
            raise LabelReserved
        async with self._database.transaction(caller) as tx:
            if revision and await tx.fetch_one(_GET, revision=revision) is None:
                raise Forbidden(subject=f"rule_revision/{revision}")
            row = await tx.fetch_one(
                _POINT,
                tenant=caller.tenant,
                label=label,
                revision=revision or None,
                person=caller.person,
            )
            assert row is not None, "an upsert returns its row"  # noqa: S101
            tx.emit(audit_events.rule_label_moved(label, revision, version=str(row["version"])))
        if label == SHADOW and revision:
            await self._messaging.wake(WAKE_SUBJECT, hint(caller.tenant, revision))
        return _label(row)

    async def named(self, caller: Caller, name: str) -> str:
        """The hash that a name stands for; empty for a label that points to nothing."""
        if _DIGEST.fullmatch(name):
            return name
        async with self._database.transaction(caller) as tx:
            row = await tx.fetch_one(_LABEL, label=name)
        if row is None and name != LIVE:
            raise Forbidden(subject=f"rule_label/{name}")
        return (row["revision"] or "") if row else ""

    async def rules(
        self, caller: Caller, name: str, document: RuleDocument | None = None
    ) -> RuleSet:
        """The rules of a document that is not stored, of a name, or else those in force."""
        if document is not None:
            return await self._compiled(document)
        revision = await self.named(caller, name or LIVE)
        if not revision:
            return self._book.built_in
        found = await self._book.revision(caller, revision)
        if found is None:
            raise Forbidden(subject=f"rule_revision/{name}")
        return found

    async def _compiled(self, document: RuleDocument) -> RuleSet:
        """In a thread: a thousand rules take a tenth of a second."""
        try:
            return await asyncio.to_thread(self._book.compiled, document)
        except RuleInvalid as invalid:
            raise RulesInvalid(invalid.problems) from None


def _revision(row: Record) -> RuleRevision:
    return RuleRevision(
        revision=row["revision"],
        document=rule_documents.as_stored(row["document"]) if row["document"] else None,
        description=row["description"],
        rule_count=row["rule_count"],
        create_person_id=row["person"],
        built_in_revision=row["built_in"],
        create_time=stamp(row["create_time"]),
        labels=row["labels"],
    )


def _label(row: Record) -> RuleLabel:
    return RuleLabel(
        label=row["label"],
        revision=row["revision"] or "",
        change_time=stamp(row["change_time"]),
        change_person_id=row["person"],
    )
