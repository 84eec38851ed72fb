"""How far each pass over the log has come."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from kernel.database import Transaction
from kernel.statement import Statement
from services.audit.tables import progress

_FROM: Final = Statement(
    sa.select(progress.c.index).where(progress.c.name == sa.bindparam("name")).with_for_update()
)
_moved = insert(progress).values(name=sa.bindparam("name"), index=sa.bindparam("index"))
_MOVE: Final = Statement(
    _moved.on_conflict_do_update(index_elements=["name"], set_={"index": _moved.excluded.index})
)


async def look_from(tx: Transaction, name: str) -> int:
    """The first entry that the pass has not seen."""
    row = await tx.fetch_one(_FROM, name=name)
    return row["index"] if row else 0


async def go_on(tx: Transaction, name: str, index: int) -> None:
    """Begin with this entry the next time."""
    await tx.execute(_MOVE, name=name, index=index)
