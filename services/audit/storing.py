"""Writing entries, and what is known of each source: the statements of `intake`."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from kernel.database import Transaction
from kernel.statement import Statement
from services.audit.reading import Leaf
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
    "type": sa.Text,
    "method": sa.Text,
    "outcome": sa.Text,
    "trace_id": sa.Text,
    "version": sa.BigInteger,
    "targets": sa.Text,
    "bundle": sa.BigInteger,
    "personal": sa.Uuid(as_uuid=False),
    "event_time": sa.TIMESTAMP(timezone=True),
}


def _values(name: str, kind: Any) -> Any:
    values = sa.func.unnest(sa.bindparam(name, type_=ARRAY(kind)))
    # Arrays of arrays would be taken apart, so an entry's targets travel as lines.
    return sa.func.string_to_array(values, "\n") if name == "targets" else values


_INSERT: Final = Statement(
    sa.insert(entries).from_select(
        list(_TYPES), sa.select(*(_values(name, kind) for name, kind in _TYPES.items()))
    )
)
_HELD: Final = Statement(
    sa.select(entries.c.event_id, entries.c.leaf_hash).where(
        entries.c.source == sa.bindparam("source"),
        entries.c.event_id == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.Uuid(as_uuid=False)))),
    )
)
_THERE: Final = Statement(
    sa.select(entries.c.index).where(
        entries.c.subject == sa.bindparam("subject"),
        entries.c.kind == "manifest",
        entries.c.source == sa.bindparam("source"),
        entries.c.leaf_hash == sa.bindparam("hash"),
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
    sa.select(sources.c.number, sources.c.generation, sources.c.manifest_index).where(
        sources.c.source == sa.bindparam("name")
    )
)
_advanced = insert(sources).values(
    source=sa.bindparam("source"),
    number=sa.bindparam("number"),
    generation=sa.bindparam("generation"),
    manifest_index=sa.bindparam("manifest_index"),
)
_ADVANCE: Final = Statement(
    _advanced.on_conflict_do_update(
        index_elements=["source"],
        set_={
            "number": _advanced.excluded.number,
            "generation": _advanced.excluded.generation,
            "manifest_index": _advanced.excluded.manifest_index,
            # After a rewind its earlier receipts say nothing of the new bundles.
            "receipted_number": sa.func.least(
                sources.c.receipted_number, _advanced.excluded.number - sa.bindparam("rewound")
            ),
            "heard_time": sa.func.clock_timestamp(),
        },
    )
)


class Held(NamedTuple):
    """How far a source has come: every bundle up to `number` is in the log."""

    number: int
    generation: int
    manifest_index: int


async def held_of(tx: Transaction, source: str) -> Held:
    """How far a source has come; zeros for one that was never heard of."""
    row = await tx.fetch_one(_SOURCE, name=source)
    return Held(*row) if row else Held(0, 0, 0)


async def come_so_far(tx: Transaction, source: str, before: Held, now: Held) -> None:
    """Write down that a source was heard of, and how far it has come."""
    rewound = int(now.number <= before.number and now.generation > before.generation)
    await tx.execute(_ADVANCE, source=source, rewound=rewound, **now._asdict())


async def held_events(tx: Transaction, source: str, ids: Sequence[str]) -> dict[str, bytes]:
    """The leaf hashes of those of these events that are in the log."""
    rows = await tx.fetch(_HELD, source=source, ids=list(ids)) if ids else []
    return {row["event_id"]: row["leaf_hash"] for row in rows}


async def is_in_the_log(tx: Transaction, manifest: Leaf) -> bool:
    """Whether this very manifest is a leaf of the log."""
    found = await tx.fetch_one(
        _THERE, subject=manifest.subject, source=manifest.source, hash=manifest.hash
    )
    return found is not None


async def append(tx: Transaction, index: int, leaves: Sequence[Leaf]) -> list[bytes]:
    """Write entries from `index` on; returns their hashes."""
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
