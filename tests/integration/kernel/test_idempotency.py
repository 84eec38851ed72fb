"""A request id pins its effect."""

import asyncio

import pytest

from chenu.events.v1.source_service_pb2 import ListVersionsRequest
from kernel.caller import Caller
from kernel.context import new_id
from kernel.database import Database
from kernel.errors import RequestIdReused
from kernel.idempotency import claim, remember
from tests.integration.kernel.support import someone

METHOD = "/chenu.sample.v1.SampleService/Create"
REQUEST = ListVersionsRequest(stream="a", from_version=1)


async def create(database: Database, caller: Caller, request_id: str) -> tuple[str, bool]:
    """What a use case does: the resource, and whether it was made now."""
    async with database.transaction(caller) as tx:
        made = await claim(tx, caller, request_id, METHOD, REQUEST)
        if made is not None:
            return made, False
        resource = new_id()
        await asyncio.sleep(0.05)
        await remember(tx, caller, request_id, resource)
        return resource, True


async def test_sent_many_times_at_once_it_is_done_once(database: Database, caller: Caller) -> None:
    request_id = new_id()
    made = await asyncio.gather(*(create(database, caller, request_id) for _ in range(6)))
    assert len({resource for resource, _ in made}) == 1
    assert sum(new for _, new in made) == 1


async def test_another_body_or_method_under_the_same_id_is_refused(
    database: Database, caller: Caller
) -> None:
    request_id = new_id()
    await create(database, caller, request_id)
    other = ListVersionsRequest(stream="b", from_version=1)
    for method, request in ((METHOD, other), (METHOD + "2", REQUEST)):
        with pytest.raises(RequestIdReused):
            async with database.transaction(caller) as tx:
                await claim(tx, caller, request_id, method, request)


async def test_the_same_id_of_somebody_else_is_another_request(database: Database) -> None:
    request_id = new_id()
    first, second = someone(), someone()
    assert (await create(database, first, request_id))[1]
    assert (await create(database, second, request_id))[1]


async def test_a_request_that_failed_may_be_sent_again(database: Database, caller: Caller) -> None:
    request_id = new_id()
    with pytest.raises(RuntimeError):
        await fail(database, caller, request_id)
    assert (await create(database, caller, request_id))[1]


async def fail(database: Database, caller: Caller, request_id: str) -> None:
    async with database.transaction(caller) as tx:
        await claim(tx, caller, request_id, METHOD, REQUEST)
        raise RuntimeError


async def test_without_an_id_nothing_is_remembered(database: Database, caller: Caller) -> None:
    assert (await create(database, caller, ""))[1]
    assert (await create(database, caller, ""))[1]


async def test_what_was_not_claimed_cannot_be_remembered(
    database: Database, caller: Caller
) -> None:
    async with database.transaction(caller) as tx:
        with pytest.raises(LookupError):
            await remember(tx, caller, new_id(), "resource")
