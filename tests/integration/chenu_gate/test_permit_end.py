"""A permit ends in the effect's own transaction, however long that waited."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from chenu_gate.executor import Executions
from chenu_gate.permit import LEEWAY, PermitExpired
from tests.integration.chenu_gate.conftest import Transactions, permitted
from tests.integration.chenu_gate.test_fence import another_permit, count

MINUTE = timedelta(minutes=1)


async def test_what_waited_until_its_permit_had_run_out_is_not_begun_and_uses_nothing_up(
    pool: asyncpg.Pool, executions: Executions, transaction: Transactions
) -> None:
    late = permitted(expires_at=datetime.now(UTC) - LEEWAY)

    beginnings: list[Callable[[Any], Awaitable[Any]]] = [
        lambda tx: executions.fence(tx, late),
        lambda tx: executions.begin_running(tx, late, MINUTE),
    ]
    for begin in beginnings:
        with pytest.raises(PermitExpired):
            async with transaction() as tx:
                await begin(tx)

    assert await count(pool, late) == (0, 0)
    in_time = another_permit(late, expires_at=datetime.now(UTC) + MINUTE)
    async with transaction() as tx:
        await executions.fence(tx, in_time)
