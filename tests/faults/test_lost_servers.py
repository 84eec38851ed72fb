"""PostgreSQL and NATS fall under load: what was begun is ended, what was done is in the log."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import grpc
import pytest

from deploy.postgres.roles import SERVICES, database_url
from tests.faults.proof import AWAY, no_lane_ran_twice, recorded, succeeded, the_log_verifies
from tests.faults.stage import Stage
from tests.laws.log import all_logged
from tests.support.fleet import Client
from tests.support.waiting import soon

LOAD = 6
NUMBERS = "SELECT coalesce(max(number), 0) FROM {service}.{table}"


def title(number: int) -> str:
    return f"Kept {number}"


async def begin(me: Client, *numbers: int) -> list[str]:
    """Runs that each found a thread, all at once; the model takes its time."""
    words = "Create a thread called “{}”\n#simulate-fault: slow:500"
    runs = await asyncio.gather(*(me.begin(words.format(title(number))) for number in numbers))
    return [run.run_id for run in runs]


async def all_done_once(stage: Stage, me: Client, run_ids: Sequence[str]) -> None:
    """Every run has succeeded with one effect, and the log holds its beginning and its end."""
    for run_id in run_ids:
        await succeeded(me, run_id)
        await no_lane_ran_twice(me, run_id)
    assert Counter(await me.titles()) == Counter(title(n) for n in range(len(run_ids)))
    for run_id in run_ids:
        types = Counter(await recorded(me, f"run/{run_id}", "run.ended"))
        assert (types["nova.run.accepted"], types["nova.run.ended"]) == (1, 1)
    await the_log_verifies(stage, me)
    await everything_is_receipted(stage)


async def everything_is_receipted(stage: Stage) -> None:
    """Every event stands in the log once, and audit has vouched for all bundles made so far."""
    superuser: Any = await asyncpg.connect(database_url(stage.backends.postgres.admin_url))

    async def numbers(table: str) -> dict[str, int]:
        return {
            service: await superuser.fetchval(NUMBERS.format(service=service, table=table))
            for service in SERVICES
        }

    try:
        await all_logged(superuser)
        bundled = await numbers("bundles")

        async def receipted() -> bool:
            come = await numbers("receipts")
            return all(come[service] >= number for service, number in bundled.items())

        await soon(receipted, "every bundle has its receipt")
    finally:
        await superuser.close()


@pytest.fixture
async def nats_returns(stage: Stage) -> AsyncIterator[None]:
    yield
    if not stage.backends.nats.running():
        stage.backends.nats.start()


@pytest.mark.parametrize("wiped", [False, True], ids=["store kept", "store lost"])
@pytest.mark.usefixtures("nats_returns")
async def test_while_nats_is_away_work_goes_on_and_everything_arrives_afterwards(
    stage: Stage, me: Client, wiped: bool
) -> None:
    before = await begin(me, *range(LOAD // 2))
    stage.backends.nats.kill()
    meanwhile = await begin(me, *range(LOAD // 2, LOAD))
    for run_id in before + meanwhile:
        await succeeded(me, run_id)
    if wiped:
        stage.backends.nats.wipe()
    stage.backends.nats.start()
    await all_done_once(stage, me, before + meanwhile)


async def test_postgresql_dies_under_load_and_the_services_recover_by_themselves(
    stage: Stage, me: Client
) -> None:
    before = await begin(me, *range(LOAD // 2))
    stage.backends.postgres.kill()
    with pytest.raises(grpc.aio.AioRpcError) as away:
        await me.titles()
    assert away.value.code() in AWAY
    stage.backends.postgres.start()

    async def begun() -> list[str]:
        try:
            return await begin(me, LOAD // 2)
        except grpc.aio.AioRpcError as error:
            if error.code() not in AWAY:
                raise
            return []

    after = await soon(begun, "nova accepts runs again")
    await all_done_once(stage, me, before + after)
