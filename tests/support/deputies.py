"""Somebody who votes in somebody's place, appointed as people do it."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from chenu.governance.v1.deputy_service_pb2 import AppointDeputyRequest, ListDeputiesRequest
from chenu.governance.v1.deputy_service_pb2_grpc import DeputyServiceStub
from tests.support.fleet import Client
from tests.support.waiting import soon


def appointment(person: str) -> AppointDeputyRequest:
    """A request that breaks no rule, for a day."""
    request = AppointDeputyRequest(deputy_person_id=person, request_id=str(uuid4()))
    request.end_time.FromDatetime(datetime.now(UTC) + timedelta(days=1))
    return request


async def appoint(me: Client, deputy: Client) -> str:
    """The id of the appointment, which I asked for and approved."""
    stub = DeputyServiceStub(me.fleet.channel("governance"))
    request = appointment(deputy.session.session.user.user_id)
    verdict = (await stub.AppointDeputy(request, metadata=me.me)).verdict
    await me.approve(verdict.checkpoint.checkpoint_id)
    made = verdict.decision.decision_id

    async def there() -> bool:
        found = await stub.ListDeputies(ListDeputiesRequest(), metadata=me.me)
        return made in {one.deputy_id for one in found.deputies}

    await soon(there, "the deputy is appointed")
    return made
