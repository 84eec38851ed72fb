"""The signed log by itself: how fast records come into it, and how fast it is verified.

Before a PostgreSQL of its own, so that nothing else writes; the raw rate is that of the same rows
in batches of the same size, with the same indexes, without reading, hashing or signing anything.
"""

import asyncio
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import asyncpg

from deploy.local.postgres_server import PostgresServer
from deploy.postgres.roles import LOGINS, database_url, provision_database
from kernel.context import background
from kernel.database import Database
from kernel.migration import upgrade
from kernel.receipts import TreeHead, leaf_hash
from services.audit.folder import CHECKPOINT, bundle_of, grown_tiles, tile_path
from services.audit.intake import Intake
from services.audit.keys import open_log_keys
from services.audit.note import NoteSigner, sign_tree_head
from services.audit.tree import TILE_WIDTH, append
from tests.performance.generator import Cell
from tests.support.identity import Person
from tests.support.source import StandInSource, an_event

RECORDS_A_BUNDLE: Final = 400
BUNDLES_AT_ONCE: Final = 4
RAW: Final = "raw batched insert"
INGEST: Final = "records into the signed log"
VERIFY: Final = "records verified offline"
MEMORY: Final = "MiB"
_COLUMNS: Final = "kind, source, event_id, tenant, identity, leaf, leaf_hash, action, subject, \
person, agent, service, sphere, stream, request_id, denial, type, method, outcome, trace_id, \
version, targets, bundle, event_time"


async def records_into_the_log(seconds: float) -> Sequence[Cell]:
    """The raw rate, and the log's own, each for so long."""
    with tempfile.TemporaryDirectory(prefix="chenu-log-") as folder:
        async with _database(Path(folder)) as (worker, admin):
            signers = open_log_keys(
                Path(folder) / "log.pem", Path(folder) / "log.vkey", "bench/log"
            )
            into = await _ingest(worker, signers, seconds)
            raw = await _raw(admin, seconds)
    return [raw, into]


async def _ingest(worker: Database, signers: Sequence[NoteSigner], seconds: float) -> Cell:
    source, person = StandInSource("threads"), Person()
    intake = Intake(worker, signers, _nothing_to_fetch)
    latencies, done, spent = [], 0, 0.0
    with background("bench"):
        while spent < seconds:
            # Made outside of the measured time: it is the sources' work.
            arrived = [
                (source.source, source.bundle(_events(person, RECORDS_A_BUNDLE)))
                for _ in range(BUNDLES_AT_ONCE)
            ]
            source.bundles = dict.fromkeys(source.bundles, b"")
            started = time.perf_counter()
            await intake.take(arrived)
            took = time.perf_counter() - started
            latencies.append(took * 1000)
            spent += took
            done += BUNDLES_AT_ONCE * RECORDS_A_BUNDLE
    return Cell(INGEST, 1, 0.0, sorted(latencies), spent, done)


def _events(person: Person, count: int) -> list[bytes]:
    streams = [f"thread/{uuid4()}" for _ in range(count)]
    return [an_event(person, subject=s, stream=s, version="1", id=str(uuid4())) for s in streams]


async def _nothing_to_fetch(source: str, number: int) -> bytes:
    raise LookupError(f"{source} has no bundle {number}")


async def _raw(admin: str, seconds: float) -> Cell:
    connection: Any = await asyncpg.connect(admin)
    size = RECORDS_A_BUNDLE * BUNDLES_AT_ONCE
    try:
        await connection.execute("CREATE TABLE public.raw (LIKE audit.entries INCLUDING ALL)")
        await connection.execute(
            f"CREATE TABLE public.batch AS SELECT {_COLUMNS} FROM audit.entries LIMIT {size}"
        )
        copy = (
            f"INSERT INTO public.raw (index, {_COLUMNS}) SELECT $1 + row_number() OVER (), "
            + _COLUMNS.replace("event_id", "gen_random_uuid()")
            + " FROM public.batch"
        )
        latencies: list[float] = []
        end = time.perf_counter() + seconds
        began = time.perf_counter()
        while (started := time.perf_counter()) < end:
            await connection.execute(copy, len(latencies) * size)
            latencies.append((time.perf_counter() - started) * 1000)
        took = time.perf_counter() - began
    finally:
        await connection.close()
    return Cell(RAW, 1, 0.0, sorted(latencies), took, len(latencies) * size)


@asynccontextmanager
async def _database(folder: Path) -> AsyncIterator[tuple[Database, str]]:
    server = PostgresServer(folder / "postgres", folder / "postgres.log")
    server.start()
    try:
        passwords = {login: secrets.token_urlsafe() for login in LOGINS}
        await provision_database(server.admin_url, passwords)
        admin = database_url(server.admin_url)
        await upgrade("audit", admin)
        url = server.url("audit_worker", passwords["audit_worker"])
        worker = await Database.connect(url, schema="audit")
        try:
            yield worker, admin
        finally:
            await worker.close()
    finally:
        server.stop()


async def verified(records: int) -> Cell:
    """`chenu audit verify FOLDER` in a process of its own, for its time and its memory."""
    with tempfile.TemporaryDirectory(prefix="chenu-tiles-") as name:
        folder = Path(name)
        key = await asyncio.to_thread(write_log, folder, records)
        took, memory, code = await asyncio.to_thread(_verify, name, key)
    failures = {} if code == 0 else {f"exit code {code}": 1}
    return Cell(VERIFY, 1, 0.0, [took * 1000], took, records, failures, parts={MEMORY: memory})


# Linux counts for a child the memory of whoever started it, too: so something small starts it.
_MEASURE: Final = (
    "import resource, subprocess, sys;"
    "code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode;"
    "print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)


def _verify(folder: str, key: str) -> tuple[float, float, int]:
    """Seconds, MiB and exit code."""
    command = [sys.executable, "-m", "cli.main", "audit", "verify", folder, "--key", key]
    started = time.perf_counter()
    measured = subprocess.run(
        [sys.executable, "-c", _MEASURE, *command], stdout=subprocess.PIPE, text=True, check=True
    )
    took = time.perf_counter() - started
    code, kib = measured.stdout.split()
    return took, int(kib) / 1024, int(code)


def write_log(folder: Path, records: int) -> str:
    """A folder of tiles with so many records of usual size; returns the key that signed it."""
    (signer,) = open_log_keys(folder / "log.pem", folder / "own" / "log.vkey", "bench/log")
    tiles: dict[tuple[int, int], bytes] = {}
    usual, size = an_event(Person()), 0
    root = b""

    def read(level: int, index: int, _: int) -> bytes:
        return tiles[level, index]

    while size < records:
        count = min(TILE_WIDTH * 64, records - size)
        leaves = [usual.replace(b"00:00:00Z", b"%012dZ" % (size + n)) for n in range(count)]
        grown = append(read, size, [*map(leaf_hash, leaves)])
        tiles.update(grown.tiles)
        for start in range(0, count, TILE_WIDTH):
            bundle = leaves[start : start + TILE_WIDTH]
            path = folder / tile_path("entries", (size + start) // TILE_WIDTH, len(bundle))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bundle_of(bundle))
        size, root = grown.size, grown.root
    for level, index, width in grown_tiles(0, size):
        path = folder / tile_path(level, index, width)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tiles[level, index])
    note = sign_tree_head(TreeHead(signer.name, size, root), [signer])
    (folder / CHECKPOINT).write_text(note)
    return str(signer.verifier_key)
