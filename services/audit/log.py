"""The log in the database: one writer at a time appends; proofs are read from its tiles."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from kernel.database import Transaction
from kernel.receipts import TreeHead
from kernel.statement import Statement
from services.audit import audit_events
from services.audit.errors import LeafNotCovered
from services.audit.note import NoteSigner, sign_tree_head
from services.audit.tables import log, tiles, tree_heads
from services.audit.tree import (
    HASH_BYTES,
    TILE_WIDTH,
    ReadTile,
    append,
    consistency_proof,
    inclusion_proof,
    tiles_read_by,
)

Successions = Callable[[], Sequence[str]]
"""The signed notes in which each key of the log named the next."""
_LOCK: Final = Statement(sa.select(log.c.size).with_for_update())
_SIZE: Final = Statement(sa.select(log.c.size))
_GROW: Final = Statement(sa.update(log).values(size=sa.bindparam("new_size")))
_HEAD: Final = Statement(sa.select(tree_heads).order_by(tree_heads.c.size.desc()).limit(1))
_HEAD_AT: Final = Statement(
    sa.select(tree_heads.c.note).where(tree_heads.c.size == sa.bindparam("at"))
)
_SAVE_HEAD: Final = Statement(
    sa.insert(tree_heads).values(
        size=sa.bindparam("size"), root=sa.bindparam("root"), note=sa.bindparam("note")
    )
)
_wanted = (
    sa.func.unnest(
        sa.bindparam("levels", type_=ARRAY(sa.SmallInteger)),
        sa.bindparam("indexes", type_=ARRAY(sa.BigInteger)),
    )
    .table_valued("level", "index")
    .render_derived()
)
_TILES: Final = Statement(
    sa.select(tiles).join(
        _wanted, sa.and_(tiles.c.level == _wanted.c.level, tiles.c.index == _wanted.c.index)
    )
)
_saved = insert(tiles).from_select(
    ["level", "index", "hashes"],
    sa.select(
        sa.func.unnest(sa.bindparam("levels", type_=ARRAY(sa.SmallInteger))),
        sa.func.unnest(sa.bindparam("indexes", type_=ARRAY(sa.BigInteger))),
        sa.func.unnest(sa.bindparam("hashes", type_=ARRAY(sa.LargeBinary))),
    ),
)
_SAVE_TILES: Final = Statement(
    _saved.on_conflict_do_update(
        index_elements=["level", "index"], set_={"hashes": _saved.excluded.hashes}
    )
)
# From the bytes as they are stored, not the hash beside them: an edited record is to be noticed.
# In one statement with where the log begins, so that no pruning comes between.
_HASHES: Final = Statement("""
    SELECT began.minimum, e.index, sha256('\\x00'::bytea || e.leaf) AS leaf_hash
    FROM (SELECT coalesce(max(minimum_index), 0) AS minimum FROM audit.prunings) AS began
    LEFT JOIN audit.entries e
        ON e.index >= :start AND e.index < :end AND e.index >= began.minimum
    ORDER BY e.index""")
# The last head up to each of so many places between two sizes: a few look-ups in an index.
_SPREAD: Final = Statement("""
    SELECT DISTINCT h.size, h.note FROM generate_series(1, :places) AS n CROSS JOIN LATERAL (
        SELECT size, note FROM audit.tree_heads
        WHERE size > :low AND size < :high AND size <= :low + (:high - :low) * n / :places
        ORDER BY size DESC LIMIT 1) AS h
    ORDER BY h.size""")
_THIN: Final = Statement("SELECT audit.thin_tree_heads(:most) AS gone")
_HEADS_AT_ONCE: Final = 256
_THINNED_AT_ONCE: Final = 10_000


async def lock(tx: Transaction) -> int:
    """Become the one writer for the rest of the transaction; returns the log's size."""
    row = await tx.fetch_one(_LOCK)
    if row is None:
        raise RuntimeError("the row of audit.log is missing; the migration makes it")
    size: int = row["size"]
    return size


async def size(tx: Transaction) -> int:
    """How many entries there are now; nobody is kept from adding more."""
    row = await tx.fetch_one(_SIZE)
    return row["size"] if row else 0


async def grow(
    tx: Transaction, size: int, leaf_hashes: Sequence[bytes], signers: Sequence[NoteSigner]
) -> TreeHead:
    """Append hashes to a locked log of `size` entries and sign the new head."""
    read = await read_tiles(tx, tiles_read_by(append, size, leaf_hashes))
    grown = append(read, size, leaf_hashes)
    await tx.execute(
        _SAVE_TILES,
        levels=[level for level, _ in grown.tiles],
        indexes=[index for _, index in grown.tiles],
        hashes=list(grown.tiles.values()),
    )
    head = TreeHead(signers[0].name, grown.size, grown.root)
    note = sign_tree_head(head, signers)
    await tx.execute(_SAVE_HEAD, size=head.size, root=head.root, note=note)
    await tx.execute(_GROW, new_size=grown.size)
    return head


async def latest_head(tx: Transaction) -> tuple[int, bytes, str]:
    """Size, root and signed note of the newest tree head; LeafNotCovered for an empty log."""
    row = await tx.fetch_one(_HEAD)
    if row is None:
        raise LeafNotCovered("the log is still empty")
    return row["size"], row["root"], row["note"]


async def tile(tx: Transaction, level: int, index: int, width: int = 0) -> bytes:
    """The hashes of a tile, or its first `width`; LeafNotCovered where it has not so many."""
    hashes = (await read_tiles(tx, [(level, index, width)]))(level, index, width)
    if len(hashes) < max(width, 1) * HASH_BYTES:
        raise LeafNotCovered(f"the log has no such tile as {level}/{index}")
    return hashes[: width * HASH_BYTES] if width else hashes


async def note_at(tx: Transaction, size: int) -> str:
    """The signed head of exactly that size, empty where none was signed."""
    row = await tx.fetch_one(_HEAD_AT, at=size)
    return row["note"] if row else ""


async def prove_inclusion(tx: Transaction, index: int, size: int) -> list[bytes]:
    """The path of an entry to the root at `size`."""
    if not 0 <= index < size:
        raise LeafNotCovered(f"the tree of {size} does not cover entry {index}")
    read = await read_tiles(tx, tiles_read_by(inclusion_proof, index, size))
    return inclusion_proof(read, index, size)


async def prove_consistency(tx: Transaction, first: int, second: int) -> list[bytes]:
    """The proof that the tree of `second` begins with that of `first`."""
    if not 0 <= first <= second:
        raise LeafNotCovered(f"the tree of {second} does not cover one of {first}")
    read = await read_tiles(tx, tiles_read_by(consistency_proof, first, second))
    return consistency_proof(read, first, second)


def check_covered(size: int, newest: int) -> None:
    """Raise LeafNotCovered for a tree that is not there yet."""
    if size > newest:
        raise LeafNotCovered(f"the log has {newest} entries, not {size}")


async def leaf_hashes(tx: Transaction, start: int, end: int) -> bytes:
    """The leaf hashes of a range, joined; of entries that were pruned, as the tiles keep them."""
    rows = await tx.fetch(_HASHES, start=start, end=end)
    minimum = min(end, int(rows[0]["minimum"]))
    pruned = b""
    if start < minimum:
        first, last = start // TILE_WIDTH, (minimum - 1) // TILE_WIDTH
        read = await read_tiles(tx, [(0, index, 0) for index in range(first, last + 1)])
        joined = b"".join(read(0, index, 0) for index in range(first, last + 1))
        offset = first * TILE_WIDTH
        pruned = joined[(start - offset) * HASH_BYTES : (minimum - offset) * HASH_BYTES]
    return pruned + b"".join(row["leaf_hash"] for row in rows if row["index"] is not None)


async def heads_between(tx: Transaction, low: int, high: int) -> list[str]:
    """Signed heads of sizes between these, spread evenly, the smallest first; at most 256."""
    rows = await tx.fetch(_SPREAD, low=low, high=high, places=_HEADS_AT_ONCE)
    return [row["note"] for row in rows]


async def earlier_heads(tx: Transaction, size: int) -> list[str]:
    """What goes with a copy of the log: heads from all over it, and all within its last tile."""
    edge = size // TILE_WIDTH * TILE_WIDTH
    found = [*await heads_between(tx, 0, size), *await heads_between(tx, edge, size)]
    return list(dict.fromkeys(found))


async def thin_heads(tx: Transaction) -> int:
    """Keep the last of each hour of what is older than a day, and what proofs rest on.

    Returns how many went; there may be more.
    """
    row = await tx.fetch_one(_THIN, most=_THINNED_AT_ONCE)
    gone = int(row["gone"]) if row else 0
    if gone:
        tx.keep(audit_events.log_thinned("tree_heads", gone))
    return gone


async def read_tiles(tx: Transaction, wanted: Sequence[tuple[int, int, int]]) -> ReadTile:
    """What the tree code will read, fetched beforehand in one round trip."""
    held: dict[tuple[int, int], bytes] = {}
    if wanted:
        rows: Any = await tx.fetch(
            _TILES, levels=[w[0] for w in wanted], indexes=[w[1] for w in wanted]
        )
        held = {(row["level"], row["index"]): row["hashes"] for row in rows}
    return lambda level, index, _: held.get((level, index), b"")
