"""Which rules hold for which tenant, known without asking the database.

A plan carries the labels that it was judged by, and the statement that stores it compares them
with what stands (migration 0005, `judged`): only when they differ is anything read. So a
promotion holds from its commit on, in every process, and nothing polls. A thousand rules take
a third of a second to compile: in a thread, once, at start or when their promotion is asked for.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple, TypeVar

import structlog

from chenu.governance.v1.rule_pb2 import RuleDocument
from kernel.caller import Caller
from kernel.database import Database, Transaction
from kernel.errors import ServiceError
from kernel.statement import Statement
from services.governance.policy import rule_documents
from services.governance.policy.built_in_rules import BUILT_IN
from services.governance.policy.rules import Rule, RuleSet

LIVE: Final = "live"
SHADOW: Final = "shadow"
WAKE_SUBJECT: Final = "governance.rules"
_TENANTS: Final = 10_000
_REVISIONS: Final = 128
_WARM: Final = 64
_READ: Final = Statement("SELECT document FROM rule_revisions WHERE revision = :revision")
_LABELS: Final = Statement(
    "SELECT label, revision FROM rule_labels"
    " WHERE label IN ('live', 'shadow') AND revision IS NOT NULL"
)
# As `governance.judged` does; a promotion waits for it.
_HOLD: Final = Statement(
    "SELECT pg_advisory_xact_lock_shared("
    "hashtextextended('rules/' || CAST(CAST(:tenant AS uuid) AS text), 0))"
)
_LATEST: Final = Statement(
    "SELECT tenant, label, revision FROM rule_labels"
    " WHERE label IN ('live', 'shadow') AND revision IS NOT NULL"
    " ORDER BY change_time DESC LIMIT :most"
)
_log: Final = structlog.get_logger(component="rules")
T = TypeVar("T")


class InForce(NamedTuple):
    """What a tenant's actions are judged by; `shadow` is judged beside it and never enforced."""

    live: RuleSet
    shadow: RuleSet | None
    labels: Mapping[str, str]


def hint(tenant: str, revision: str) -> bytes:
    """What WAKE_SUBJECT carries, for every process to `prepare`."""
    return f"{tenant}/{revision}".encode()


class RuleBook:
    """Compiled revisions and who goes by them; both bounded, the least used make room."""

    def __init__(self, database: Database, built_in: Iterable[Rule] = BUILT_IN) -> None:
        self._database = database
        self.built_in = RuleSet(replace(rule, built_in=True) for rule in built_in)
        self._default = InForce(self.built_in, None, {})
        self._tenants: OrderedDict[str, InForce] = OrderedDict()
        self._revisions: OrderedDict[str, RuleSet] = OrderedDict()
        self._making: dict[str, asyncio.Future[RuleSet]] = {}

    def in_force(self, tenant: str) -> InForce:
        """What this process believes; whatever it decides by it is checked when it is stored."""
        known = self._tenants.get(tenant)
        if known is None:
            return self._default
        self._tenants.move_to_end(tenant)
        return known

    async def learn(self, caller: Caller, labels: Mapping[str, str]) -> InForce:
        """Go by these labels of the caller's tenant from now on."""
        live, shadow = labels.get(LIVE), labels.get(SHADOW)
        found = InForce(
            await self._standing(caller, live) if live else self.built_in,
            await self._standing(caller, shadow) if shadow else None,
            dict(labels),
        )
        _keep(self._tenants, caller.tenant, found, _TENANTS)
        return found

    async def refresh(self, caller: Caller) -> InForce:
        """What stands now, asked of the database."""
        async with self._database.transaction(caller) as tx:
            rows = await tx.fetch(_LABELS)
        labels = {row["label"]: row["revision"] for row in rows}
        known = self.in_force(caller.tenant)
        return known if known.labels == labels else await self.learn(caller, labels)

    async def hold(self, tx: Transaction, tenant: str, in_force: InForce) -> bool:
        """Whether that still holds; no promotion changes it until the commit."""
        await tx.execute(_HOLD, tenant=tenant)
        rows = await tx.fetch(_LABELS)
        return {row["label"]: row["revision"] for row in rows} == in_force.labels

    async def revision(self, caller: Caller, revision: str) -> RuleSet | None:
        """The compiled rules of one of the tenant's revisions; None where it has none such."""
        if revision == self.built_in.revision:
            return self.built_in
        async with self._database.transaction(caller) as tx:
            row = await tx.fetch_one(_READ, revision=revision)
        if row is None:
            return None
        # By its hash: whoever's it is, it says the same.
        document = rule_documents.as_stored(row["document"])
        found = self._revisions.get(revision)
        if found is None:
            return await self._compile(revision, document)
        self._revisions.move_to_end(revision)
        return found

    async def warm(self, worker: Database) -> None:
        """Have the rules of the tenants that changed them last ready before anybody asks."""
        tenants: dict[str, dict[str, str]] = {}
        async with worker.work() as tx:
            for row in await tx.fetch(_LATEST, most=_WARM):
                tenants.setdefault(row["tenant"], {})[row["label"]] = row["revision"]
        for tenant, labels in tenants.items():
            try:
                await self.learn(Caller.system(service="governance", tenant=tenant), labels)
            except Exception as error:  # noqa: BLE001 - whoever asks is told, the others are served
                _log.warning("not ready", tenant=tenant, error=repr(error))

    async def prepare(self, hint: bytes) -> None:
        """Compile a revision by which somebody may soon be judged."""
        tenant, _, revision = hint.decode().partition("/")
        await self.revision(Caller.system(service="governance", tenant=tenant), revision)

    async def _compile(self, revision: str, document: RuleDocument) -> RuleSet:
        """In a thread, since others go on deciding; once for all who wait for it."""
        making = self._making.get(revision)
        if making is None:
            making = asyncio.ensure_future(self._make(revision, document))
            self._making[revision] = making
        return await asyncio.shield(making)

    async def _make(self, revision: str, document: RuleDocument) -> RuleSet:
        """Kept in the step in which it is no longer being made: nobody may find neither."""
        try:
            made = await asyncio.to_thread(self.compiled, document, accepted=True)
            _keep(self._revisions, revision, made, _REVISIONS)
            return made
        finally:
            del self._making[revision]

    async def _standing(self, caller: Caller, revision: str) -> RuleSet:
        """What a label points to; without it nothing is decided, and not by milder rules."""
        found = await self.revision(caller, revision)
        if found is None:
            raise ServiceError(f"the revision {revision} cannot be read")
        return found

    def compiled(self, document: RuleDocument, *, accepted: bool = False) -> RuleSet:
        """A tenant's rules beside the built-in ones; RuleInvalid tells all that is wrong."""
        return rule_documents.rule_set(document, self.built_in.rules, accepted=accepted)

    def described(self, revision: str, code: str) -> str:
        """A rule in words, if its revision is at hand or it is a built-in one."""
        rule = self._revisions.get(revision, self.built_in).named(code) or self.built_in.named(code)
        return rule.description if rule else ""


def _keep(kept: OrderedDict[str, T], key: str, value: T, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)
