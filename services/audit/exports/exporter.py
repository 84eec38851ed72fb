"""Makes an export: chooses the records, signs what it promises, then streams them."""

import json
from array import array
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import grpc
import sqlalchemy as sa
from google.protobuf.json_format import MessageToDict
from sqlalchemy.dialects.postgresql import ARRAY

from chenu.audit.v1.export_pb2 import ExportFormat
from chenu.audit.v1.export_service_pb2 import ExportEntriesRequest, ExportEntriesResponse
from kernel.caller import Caller
from kernel.context import new_id
from kernel.database import Database, Transaction
from kernel.errors import relayed
from kernel.receipts import TreeHead, VerifierKey
from kernel.statement import Statement
from services.audit import audit_events, log
from services.audit.entries import AUDITOR, widen
from services.audit.errors import ExportInterrupted, RoleRequired
from services.audit.exports import flat
from services.audit.exports.lines import CloudEvents, Jsonl, Lines, hashes_text
from services.audit.exports.manifest import VERSION, Selection, canonical, signed
from services.audit.log import Successions
from services.audit.matching import matching, parameters
from services.audit.note import NoteSigner
from services.audit.personal import SubjectKeys
from services.audit.retention import minimum_index
from services.audit.tables import entries
from services.audit.tree import TILE_WIDTH, inclusion_proofs, tiles_of, tiles_read_by
from services.audit.witnesses import witnessed_head

_PIECE_BYTES: Final = 256 << 10
_INDEXES: Final = 50_000
_RECORDS: Final = 512
_FLAT: Final = (ExportFormat.EXPORT_FORMAT_OCSF, ExportFormat.EXPORT_FORMAT_CSV)
_NO_FILTERS: Final = ("format", "open_sealed")
_range = (
    entries.c.index >= sa.bindparam("low", type_=sa.BigInteger),
    entries.c.index < sa.bindparam("high", type_=sa.BigInteger),
)
_CHOSEN: Final = (entries.c.index,)
_READ: Final = (entries.c.index, entries.c.leaf, entries.c.log_time, entries.c.personal)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What an export is going to hold: nothing in it changes while it is streamed."""

    caller: Caller
    values: dict[str, Any]
    conditions: Sequence[Any]
    head: TreeHead
    selection: Selection
    whole: bool
    opened: bool

    def statement(self, columns: Sequence[Any]) -> Statement:
        """What `rows` is asked with."""
        return Statement(
            sa.select(*columns)
            .where(*self.conditions, *_range)
            .order_by(entries.c.index)
            .limit(sa.bindparam("size", type_=sa.Integer))
        )

    async def rows(self, tx: Transaction, statement: Statement, low: int, size: int) -> list[Any]:
        """The next rows from index `low` on."""
        await widen(tx, self.caller)
        found: list[Any] = await tx.fetch(
            statement, low=low, high=self.head.size, size=size, **self.values
        )
        return found


class Exporter:
    """The use case of the export service."""

    def __init__(
        self,
        database: Database,
        worker: Database,
        signers: Sequence[NoteSigner],
        successions: Successions,
        keys: SubjectKeys,
    ) -> None:
        self._database, self._worker, self._keys = database, worker, keys
        self._signers, self._successions = signers, successions

    async def export(
        self, caller: Caller, request: ExportEntriesRequest
    ) -> AsyncIterator[ExportEntriesResponse]:
        """The pieces of the file; what it will hold is fixed, signed and recorded before any."""
        if request.open_sealed and AUDITOR not in caller.roles:
            raise RoleRequired(roles=AUDITOR)
        async with self._worker.work() as tx:
            size, root, note = await log.latest_head(tx)
            witnessed = await _witnessed(tx, size)
            minimum = await minimum_index(tx)
        head = TreeHead(self._signers[0].name, size, root)
        plan = await self._plan(caller, request, head)
        export = new_id()
        manifest = _manifest(export, plan, request, self._signers[0].verifier_key) | {
            "tree_head": note,
            "successions": list(self._successions()),
            "minimum_index": minimum,
            **witnessed,
        }
        if plan.whole and request.format not in _FLAT:
            async with self._worker.work() as tx:
                manifest["earlier_heads"] = await log.earlier_heads(tx, size)
        async with self._database.transaction(caller) as tx:
            tx.emit(audit_events.entries_exported(export, manifest))
        # By the newest key alone: who pinned an older one follows, and no signature goes unchecked.
        line = signed(manifest, self._signers[:1])
        pieces = self._pieces(request.format, export, line, plan)
        data, done = bytearray(), 0
        async for piece, count in pieces:
            data += piece
            done += count
            if len(data) >= _PIECE_BYTES:
                yield _response(data, done, plan)
                data.clear()
        if done != plan.selection.count:
            raise ExportInterrupted("records were pruned meanwhile; export again")
        yield _response(data, done, plan)

    async def _plan(self, caller: Caller, request: ExportEntriesRequest, head: TreeHead) -> _Plan:
        conditions = [*matching(request.filter), *_among(request.resources)]
        async with self._database.transaction(caller) as tx:
            values = parameters(request, await widen(tx, caller), caller)
        nothing, whole = Selection(0, ()), not _filters(request)
        plan = _Plan(caller, values, conditions, head, nothing, whole, request.open_sealed)
        choose, indexes = plan.statement(_CHOSEN), array("q")  # eight bytes each: they may be many
        while True:
            async with self._database.transaction(caller) as tx:
                low = indexes[-1] + 1 if indexes else 0
                rows = await plan.rows(tx, choose, low, _INDEXES)
            indexes.extend(row["index"] for row in rows)
            if len(rows) < _INDEXES:
                return replace(plan, selection=Selection.of(indexes))

    async def _pieces(
        self, form: ExportFormat, export: str, manifest: str, plan: _Plan
    ) -> AsyncIterator[tuple[bytes, int]]:
        if form in _FLAT:
            yield flat.first_record(form, manifest), 0
            async for rows, _ in self._records(plan):
                for row in rows:
                    yield flat.line(form, row), 1
            return
        lines: Lines = Jsonl()
        if form == ExportFormat.EXPORT_FORMAT_CLOUDEVENTS:
            lines = CloudEvents(export)
        yield lines.structure("manifest", manifest), 0
        for text in plan.selection.pieces:
            yield lines.structure("indexes", canonical({"indexes": text})), 0
        body = self._whole(lines, plan) if plan.whole else self._proved(lines, plan)
        async for piece in body:
            yield piece

    async def _proved(self, lines: Lines, plan: _Plan) -> AsyncIterator[tuple[bytes, int]]:
        """Each record with its own path."""
        async for rows, paths in self._records(plan, paths=True):
            opened = await self._opened(plan, rows)
            for row, path in zip(rows, paths, strict=True):
                record = lines.record(row["index"], row["leaf"], path)
                yield record + _line(lines, opened, row["index"]), 1

    async def _whole(self, lines: Lines, plan: _Plan) -> AsyncIterator[tuple[bytes, int]]:
        """The tiles from the root down, then before the records of each lowest tile that tile."""
        lowest = []
        for level, index, width in tiles_of(plan.head.size):
            if level == 0 and width == TILE_WIDTH:
                lowest.append(index)
            else:
                yield await self._tile(lines, level, index, width), 0
        coming = iter(lowest)
        tile = next(coming, None)
        async for rows, _ in self._records(plan):
            opened = await self._opened(plan, rows)
            for row in rows:
                while tile is not None and tile * TILE_WIDTH <= row["index"]:
                    yield await self._tile(lines, 0, tile, TILE_WIDTH), 0
                    tile = next(coming, None)
                record = lines.record(row["index"], row["leaf"], None)
                yield record + _line(lines, opened, row["index"]), 1
        while tile is not None:
            yield await self._tile(lines, 0, tile, TILE_WIDTH), 0
            tile = next(coming, None)

    async def _tile(self, lines: Lines, level: int, index: int, width: int) -> bytes:
        async with self._worker.work() as tx:
            hashes = hashes_text(await log.tile(tx, level, index, width))
        document = {"hashes": hashes, "tile": f"{level}/{index}"}
        return lines.structure("tile", canonical(document))

    async def _opened(self, plan: _Plan, rows: Sequence[Any]) -> dict[int, Any]:
        """By index, what records say of people, where the export shows it."""
        found = [row for row in rows if plan.opened and row["personal"] is not None]
        sealed = [json.loads(row["leaf"])["data"]["personal"] for row in found]
        try:
            contents = await self._keys.reveal(plan.caller.tenant, sealed)
        except grpc.aio.AioRpcError as error:
            raise relayed(error) from None
        return {row["index"]: content for row, content in zip(found, contents, strict=True)}

    async def _records(
        self, plan: _Plan, *, paths: bool = False
    ) -> AsyncIterator[tuple[Sequence[Any], Sequence[list[bytes]]]]:
        low, read = 0, plan.statement(_READ)
        while low < plan.head.size:
            async with self._database.transaction(plan.caller) as tx:
                rows = await plan.rows(tx, read, low, _RECORDS)
            if not rows:
                return
            low = rows[-1]["index"] + 1
            yield rows, await self._paths(rows, plan.head.size) if paths else ()

    async def _paths(self, rows: Sequence[Any], size: int) -> Sequence[list[bytes]]:
        indexes = [row["index"] for row in rows]
        async with self._worker.work() as tx:
            read = await log.read_tiles(tx, tiles_read_by(inclusion_proofs, indexes, size))
        return inclusion_proofs(read, indexes, size)


def _among(resources: Sequence[str]) -> list[Any]:
    """What is about one of them; nothing is asked where there are none."""
    if not resources:
        return []
    wanted = sa.literal(list(resources), ARRAY(sa.Text))
    return [sa.or_(entries.c.subject == sa.any_(wanted), entries.c.targets.op("&&")(wanted))]


def _filters(request: ExportEntriesRequest) -> dict[str, Any]:
    filters: dict[str, Any] = MessageToDict(request, preserving_proto_field_name=True)
    return {name: value for name, value in filters.items() if name not in _NO_FILTERS}


def _line(lines: Lines, opened: dict[int, Any], index: int) -> bytes:
    """What follows a record that something is sealed in, where it was to be opened."""
    if index not in opened:
        return b""
    return lines.structure("opened", canonical({"index": index, "opened": opened[index]}))


def _manifest(
    export: str, plan: _Plan, request: ExportEntriesRequest, key: VerifierKey
) -> dict[str, Any]:
    caller = plan.caller
    return {
        "version": VERSION,
        "export": export,
        "format": ExportFormat.Name(request.format).removeprefix("EXPORT_FORMAT_").lower(),
        "create_time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "requester": {
            "tenant": caller.tenant,
            "identity": caller.identity,
            "person": caller.person,
            "sees": "tenant" if plan.values["all"] else "identity",
        },
        "filters": _filters(request),
        "proofs": "tiles" if plan.whole else "paths",
        "records": plan.selection.count,
        "indexes": plan.selection.digest,
        "redacted": not plan.opened,
        "tree_size": plan.head.size,
        "key": str(key),
        "key_id": key.id.hex(),
    }


async def _witnessed(tx: Transaction, size: int) -> dict[str, Any]:
    """What a witness vouches for, and the proof that the exported tree continues it."""
    seen, note = await witnessed_head(tx)
    if not note:
        return {}
    path = await log.prove_consistency(tx, seen, size)
    return {"witnessed_tree_head": note, "witnessed_path": hashes_text(b"".join(path))}


def _response(data: bytearray, done: int, plan: _Plan) -> ExportEntriesResponse:
    return ExportEntriesResponse(
        data=bytes(data), exported_size=done, total_size=plan.selection.count
    )
