"""Takes bundles in: each event once, in order of number per source, then the head over it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import grpc
import structlog

from chenu.events.v1.bundle_pb2 import Manifest
from kernel.database import Database, Transaction
from kernel.errors import ServiceError
from services.audit import alerts, log, streams
from services.audit.note import NoteSigner
from services.audit.reading import (
    BundleInvalid,
    Leaf,
    ManifestMismatch,
    quarantined,
    read_bundle,
)
from services.audit.storing import Held, append, come_so_far, held_events, held_of, is_in_the_log

FetchBundle = Callable[[str, int], Awaitable[bytes]]
_QUIET_SECONDS: Final = 1.0
# Half a megabyte each: what is taken is in memory until it is committed.
_ASKED_AT_ONCE: Final = 100
_NOT_HAD: Final = (BundleInvalid, ServiceError, LookupError, grpc.aio.AioRpcError)
_log = structlog.get_logger(component="intake")


@dataclass(frozen=True, slots=True)
class _Bundle:
    manifest: Manifest
    leaves: Sequence[Leaf]

    @property
    def place(self) -> tuple[int, int]:
        """Bundles of one source in the order in which they were made."""
        return self.manifest.generation, self.manifest.number


_Arrived = dict[str, dict[tuple[int, int], _Bundle]]


class Intake:
    """The one way into the log. Runs as the worker role."""

    def __init__(self, worker: Database, signers: Sequence[NoteSigner], fetch: FetchBundle) -> None:
        self._worker, self._signers, self._fetch = worker, signers, fetch
        self._quiet_until: dict[str, float] = {}

    async def take(self, arrived: Sequence[tuple[str, bytes]]) -> set[str]:
        """Commit what arrived, as (source, bytes); only then may it be acknowledged.

        Repeats are recognised; a hole in a source's numbers is filled from the source
        first. What is no bundle is kept in quarantine, with a leaf for its digest.
        Returns the sources whose hole could not be filled now: what comes after it was not taken.
        """
        bundles, poison = _sorted(arrived)
        # All at once: a source that does not answer must not hold up the others.
        whole = await asyncio.gather(*(self._complete(*one) for one in bundles.items()))
        stuck = {source for source, complete in zip(bundles, whole, strict=True) if not complete}
        async with self._worker.work() as tx:
            size = await log.lock(tx)
            hashes: list[bytes] = []
            for source in sorted(bundles):
                held = await held_of(tx, source)
                for _, bundle in sorted(bundles[source].items()):
                    added, held = await _store(tx, size + len(hashes), bundle, held)
                    hashes += added
            if poison:
                hashes += await append(tx, size + len(hashes), poison)
                await _tell_poison(tx, poison)
            if hashes:
                await log.grow(tx, size, hashes, self._signers)
        return stuck

    async def add(self, source: str, leaves: Sequence[Leaf]) -> int:
        """Take in single events that their source was asked for; returns how many were new."""
        async with self._worker.work() as tx:
            size = await log.lock(tx)
            fresh = await _unheld(tx, source, leaves)
            if fresh:
                hashes = await append(tx, size, fresh)
                await streams.count(tx, source, fresh)
                await log.grow(tx, size, hashes, self._signers)
        return len(fresh)

    async def _complete(self, source: str, bundles: dict[tuple[int, int], _Bundle]) -> bool:
        """Ask the source for what is missing; what may be taken now is left in `bundles`.

        Whether that is all. It is what comes before a hole that could not be filled, and of very
        many (this log was restored from an older dump, say) the first.
        """
        async with self._worker.work() as tx:
            held = await held_of(tx, source)
        hole = await self._fill(source, held, bundles)
        if hole:
            for place in [place for place in bundles if place[1] >= hole]:
                del bundles[place]
        generation = max((generation for generation, _ in bundles), default=0)
        try:
            if 0 < held.generation < generation:
                await self._go_back(source, held, generation, bundles)
        except _NOT_HAD as problem:
            await self._tell_hole(source, held.number + 1, problem)
            bundles.clear()
            return False
        return not hole

    async def _fill(self, source: str, held: Held, bundles: dict[tuple[int, int], _Bundle]) -> int:
        """Ask for what is missing before the newest bundle; the first that still is, or 0."""
        there = {number for _, number in bundles}
        quiet = time.monotonic() < self._quiet_until.get(source, 0.0)
        missing = (n for n in range(held.number + 1, max(bundles)[1]) if n not in there)
        for asked, number in enumerate(missing):
            if quiet or asked == _ASKED_AT_ONCE:
                return number
            try:
                await self._ask(source, number, bundles)
            except _NOT_HAD as problem:
                await self._tell_hole(source, number, problem)
                return number
        return 0

    async def _tell_hole(self, source: str, number: int, problem: Exception) -> None:
        _log.error("a hole stays open", source=source, number=number, problem=str(problem))
        self._quiet_until[source] = time.monotonic() + _QUIET_SECONDS
        async with self._worker.work() as tx:
            await alerts.raise_alert(tx, alerts.BUNDLE_HOLE, source, f"bundle/{number}")

    async def _go_back(
        self, source: str, held: Held, generation: int, bundles: dict[tuple[int, int], _Bundle]
    ) -> None:
        """A source restored from an older dump counts again from there: find where it began."""
        number = min(n for g, n in bundles if g == generation) - 1
        while 0 < number <= held.number:
            try:
                fetched = await self._ask(source, number, bundles)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.NOT_FOUND:  # released before the dump was made
                    return
                raise
            if fetched.manifest.generation < generation:
                return
            number -= 1

    async def _ask(
        self, source: str, number: int, bundles: dict[tuple[int, int], _Bundle]
    ) -> _Bundle:
        _log.warning("a bundle is missing; asking its source", source=source, number=number)
        manifest, leaves = read_bundle(await self._fetch(source, number), source)
        if manifest.number != number:
            raise LookupError(f"the source answers with bundle {manifest.number}")
        fetched = _Bundle(manifest, leaves)
        bundles[fetched.place] = fetched
        return fetched


def _sorted(arrived: Sequence[tuple[str, bytes]]) -> tuple[_Arrived, list[Leaf]]:
    bundles: _Arrived = {}
    poison: list[Leaf] = []
    for source, data in arrived:
        try:
            manifest, leaves = read_bundle(data, source)
        except BundleInvalid as problem:
            _log.error("not a bundle", source=source, problem=str(problem))
            kind = alerts.MANIFEST_MISMATCH if isinstance(problem, ManifestMismatch) else ""
            poison.append(replace(quarantined(source, data, str(problem)), type=kind))
        else:
            bundle = _Bundle(manifest, leaves)
            bundles.setdefault(source, {})[bundle.place] = bundle
    return bundles, poison


async def _tell_poison(tx: Transaction, leaves: Sequence[Leaf]) -> None:
    for leaf in leaves:
        if leaf.kind == "quarantine":
            digest = leaf.hash.hex()
            kind = leaf.type or alerts.POISON
            await alerts.raise_alert(
                tx, kind, leaf.source, f"quarantine/{digest[:16]}", reason=leaf.reason
            )


async def _store(
    tx: Transaction, index: int, bundle: _Bundle, held: Held
) -> tuple[list[bytes], Held]:
    """Put a bundle into the log, unless it is there; and how far its source has come then."""
    manifest, source = bundle.manifest, bundle.manifest.source
    number, generation = manifest.number, manifest.generation
    forward = number > held.number
    if not forward:
        if await is_in_the_log(tx, bundle.leaves[-1]):
            await come_so_far(tx, source, held, held)
            return [], held
        # The number has meant something else: the source was restored, or somebody plays it.
        forward = generation > held.generation
        kind = alerts.SOURCE_REWOUND if forward else alerts.NUMBER_REUSED
        told = {"generation": str(generation), "manifest": bundle.leaves[-1].hash.hex()}
        await alerts.raise_alert(tx, kind, source, f"bundle/{number}", **told)
    leaves = await _unheld(tx, source, bundle.leaves, manifest.number)
    await _tell_poison(tx, leaves)
    hashes = await append(tx, index, leaves)
    await streams.count(tx, source, leaves)
    if forward:
        now = Held(number, generation, index + len(leaves) - 1)
        await come_so_far(tx, source, held, now)
        await alerts.close_alert(tx, alerts.BUNDLE_HOLE, source, f"bundle/{number}")
        held = now
    return hashes, held


async def _unheld(
    tx: Transaction, source: str, leaves: Sequence[Leaf], number: int | None = None
) -> list[Leaf]:
    """Those that are not in the log; the same id with other bytes is a conflict, and kept."""
    held = await held_events(tx, source, [leaf.event_id for leaf in leaves if leaf.event_id])
    fresh: list[Leaf] = []
    for leaf in leaves:
        if leaf.event_id is None or leaf.event_id not in held:
            fresh.append(replace(leaf, bundle=number))
            if leaf.event_id:
                held[leaf.event_id] = leaf.hash
        elif held[leaf.event_id] != leaf.hash:
            # A fault or an attack.
            await alerts.raise_alert(
                tx, alerts.CONFLICT, source, f"event/{leaf.event_id}", leaf_hash=leaf.hash.hex()
            )
            fresh.append(replace(leaf, kind="conflict", event_id=None, bundle=number))
    return fresh
