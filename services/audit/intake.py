"""Takes bundles in: each event once, in order of number per source, then the head over it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import grpc
import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import ARRAY, insert

from chenu.events.v1.bundle_pb2 import Manifest
from kernel.database import Database, Transaction
from kernel.errors import ServiceError
from kernel.statement import Statement
from services.audit import log
from services.audit.note import NoteSigner
from services.audit.reading import BundleInvalid, Leaf, quarantined, read_bundle
from services.audit.tables import entries, quarantine, sources

_TYPES: Final[dict[str, Any]] = {
    "index": sa.BigInteger,
    "kind": sa.Text,
    "source": sa.Text,
    "event_id": sa.Uuid(as_uuid=False),
    "tenant": sa.Uuid(as_uuid=False),
    "identity": sa.Uuid(as_uuid=False),
    "leaf": sa.LargeBinary,
    "leaf_hash": sa.LargeBinary,
    "action": sa.SmallInteger,
    "subject": sa.Text,
    "person": sa.Text,
    "agent": sa.Text,
    "service": sa.Text,
    "sphere": sa.Text,
    "stream": sa.Text,
    "request_id": sa.Text,
    "denial": sa.Boolean,
}
_INSERT: Final = Statement(
    sa.insert(entries).from_select(
        list(_TYPES),
        sa.select(*(sa.func.unnest(sa.bindparam(n, type_=ARRAY(t))) for n, t in _TYPES.items())),
    )
)
_HELD: Final = Statement(
    sa.select(entries.c.event_id, entries.c.leaf_hash).where(
        entries.c.source == sa.bindparam("source"),
        entries.c.event_id == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.Uuid(as_uuid=False)))),
    )
)
_QUARANTINE: Final = Statement(
    sa.insert(quarantine).values(
        index=sa.bindparam("index"),
        source=sa.bindparam("source"),
        reason=sa.bindparam("reason"),
        data=sa.bindparam("data"),
    )
)
_SOURCE: Final = Statement(
    sa.select(sources.c.number).where(sources.c.source == sa.bindparam("name"))
)
_advanced = insert(sources).values(
    source=sa.bindparam("source"),
    number=sa.bindparam("number"),
    manifest_index=sa.bindparam("manifest_index"),
)
_ADVANCE: Final = Statement(
    _advanced.on_conflict_do_update(
        index_elements=["source"],
        set_={
            "number": _advanced.excluded.number,
            "manifest_index": _advanced.excluded.manifest_index,
        },
    )
)
FetchBundle = Callable[[str, int], Awaitable[bytes]]
_log = structlog.get_logger(component="intake")


@dataclass(frozen=True, slots=True)
class _Bundle:
    manifest: Manifest
    leaves: Sequence[Leaf]


class Intake:
    """The one way into the log. Runs as the worker role."""

    def __init__(self, worker: Database, signer: NoteSigner, fetch: FetchBundle) -> None:
        self._worker, self._signer, self._fetch = worker, signer, fetch

    async def take(self, arrived: Sequence[tuple[str, bytes]]) -> set[str]:
        """Commit what arrived, as (source, bytes); only then may it be acknowledged.

        Repeats are recognised; a hole in a source's numbers is filled from the source
        first. What is no bundle is kept in quarantine, with a leaf for its digest.
        Returns the sources whose hole could not be filled now: theirs was not taken.
        """
        bundles, poison = _sorted(arrived)
        stuck = {
            source for source, held in bundles.items() if not await self._complete(source, held)
        }
        async with self._worker.work() as tx:
            size = await log.lock(tx)
            hashes: list[bytes] = []
            for source in sorted(bundles.keys() - stuck):
                held = await _held_number(tx, source)
                for number in sorted(n for n in bundles[source] if n > held):
                    hashes += await _store(tx, size + len(hashes), bundles[source][number])
            if poison:
                hashes += await _append(tx, size + len(hashes), poison)
            if hashes:
                await log.grow(tx, size, hashes, self._signer)
        return stuck

    async def _complete(self, source: str, bundles: dict[int, _Bundle]) -> bool:
        """Ask the source for the bundles that are missing before the newest one."""
        async with self._worker.work() as tx:
            held = await _held_number(tx, source)
        for number in range(held + 1, max(bundles)):
            if number in bundles:
                continue
            _log.warning("a bundle is missing; asking its source", source=source, number=number)
            try:
                manifest, leaves = read_bundle(await self._fetch(source, number), source)
            except (BundleInvalid, ServiceError, LookupError, grpc.aio.AioRpcError) as problem:
                _log.error("a hole stays open", source=source, number=number, problem=str(problem))
                return False
            if manifest.number != number:
                _log.error("a source answers with another bundle", source=source, number=number)
                return False
            bundles[number] = _Bundle(manifest, leaves)
        return True


def _sorted(
    arrived: Sequence[tuple[str, bytes]],
) -> tuple[dict[str, dict[int, _Bundle]], list[Leaf]]:
    bundles: dict[str, dict[int, _Bundle]] = {}
    poison: list[Leaf] = []
    for source, data in arrived:
        try:
            manifest, leaves = read_bundle(data, source)
        except BundleInvalid as problem:
            _log.error("not a bundle", source=source, problem=str(problem))
            poison.append(quarantined(source, data, str(problem)))
        else:
            bundles.setdefault(source, {})[manifest.number] = _Bundle(manifest, leaves)
    return bundles, poison


async def _held_number(tx: Transaction, source: str) -> int:
    row = await tx.fetch_one(_SOURCE, name=source)
    return row["number"] if row else 0


async def _store(tx: Transaction, index: int, bundle: _Bundle) -> list[bytes]:
    source = bundle.manifest.source
    ids = [leaf.event_id for leaf in bundle.leaves if leaf.event_id]
    rows = await tx.fetch(_HELD, source=source, ids=ids) if ids else []
    held = {row["event_id"]: row["leaf_hash"] for row in rows}
    leaves: list[Leaf] = []
    for leaf in bundle.leaves:
        if leaf.event_id is None or leaf.event_id not in held:
            leaves.append(leaf)
            if leaf.event_id:
                held[leaf.event_id] = leaf.hash
        elif held[leaf.event_id] != leaf.hash:
            # The same id with other bytes is a fault or an attack; both are kept.
            _log.error("an event id came with other bytes", source=source, id=leaf.event_id)
            leaves.append(replace(leaf, kind="conflict", event_id=None))
    hashes = await _append(tx, index, leaves)
    await tx.execute(
        _ADVANCE,
        source=source,
        number=bundle.manifest.number,
        manifest_index=index + len(leaves) - 1,
    )
    return hashes


async def _append(tx: Transaction, index: int, leaves: Sequence[Leaf]) -> list[bytes]:
    columns = {
        name: [getattr(leaf, name) for leaf in leaves]
        for name in _TYPES
        if name not in ("index", "leaf", "leaf_hash")
    }
    hashes = [leaf.hash for leaf in leaves]
    await tx.execute(
        _INSERT,
        index=list(range(index, index + len(leaves))),
        leaf=[leaf.data for leaf in leaves],
        leaf_hash=hashes,
        **columns,
    )
    for offset, leaf in enumerate(leaves):
        if leaf.kind == "quarantine":
            await tx.execute(
                _QUARANTINE,
                index=index + offset,
                source=leaf.source,
                reason=leaf.reason,
                data=leaf.original,
            )
    return hashes
