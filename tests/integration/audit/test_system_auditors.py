"""What the people may do whom the settings name: close alerts, and read what is no tenant's."""

import json
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest

from chenu.audit.v1 import alert_service_pb2 as alert_pb
from chenu.audit.v1.alert_pb2 import Alert
from chenu.audit.v1.alert_service_pb2_grpc import AlertServiceStub
from chenu.audit.v1.entry_service_pb2 import ListEntriesRequest, ListSystemEntriesRequest
from kernel.caller import SYSTEM_TENANT
from kernel.context import background
from kernel.errors import reason_of
from kernel.service import Service
from services.audit import streams
from services.audit.alerts import VERSION_HOLE, WITNESS_SILENT, raise_alert
from services.audit.intake import Intake
from services.audit.settings import AuditSettings
from services.audit.streams import Holes
from tests.integration.audit.listing import Publish
from tests.integration.audit.test_delivery import versions
from tests.support.identity import Person, StandInIdentity
from tests.support.source import StandInSource, an_event
from tests.support.waiting import soon


@pytest.fixture
def close(channel: grpc.aio.Channel, identity: StandInIdentity, system_auditor: Person) -> Any:
    stub = AlertServiceStub(channel)

    async def closed(alert_id: str, who: Person = system_auditor) -> Alert:
        request = alert_pb.CloseAlertRequest(alert_id=alert_id, comment="a test of ours")
        answer = await stub.CloseAlert(request, metadata=identity.as_human(who))
        return answer.alert

    return closed


async def test_what_an_auditor_of_the_system_has_looked_into_is_closed_and_not_raised_again(
    *, service: Service[AuditSettings], source: StandInSource, publish: Publish, person: Person,
    superuser: asyncpg.Connection, close: Any, system_auditor: Person,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    stream = f"thread/{uuid4()}"
    bundle = source.bundle(versions(person, stream, 1, 3))
    await publish(bundle)
    sql = "SELECT alert_id::text FROM audit.alerts WHERE subject = $1 AND close_time IS NULL"
    opened = await soon(lambda: superuser.fetchval(sql, stream), "the hole is an alert")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await close(opened, person)
    assert reason_of(refused.value) == "SYSTEM_AUDITOR_REQUIRED"
    closed = await close(opened)
    assert (closed.close_comment, closed.HasField("close_time")) == ("a test of ours", True)
    assert await close(opened) == closed
    holes = Holes(service.worker, nobody_has_any, Intake(service.worker, (), no_bundle).add)
    monkeypatch.setattr(streams, "_PATIENCE_SECONDS", -1)
    with background("test"):
        await holes.look()
        assert await superuser.fetchval(sql, stream) is None
        async with service.worker.work() as tx:  # another hole in the same stream
            await raise_alert(tx, VERSION_HOLE, source.source, stream, versions="2,4", missing="2")
    assert await superuser.fetchval(sql, stream) not in (None, opened)
    told = "SELECT convert_from(leaf, 'UTF8') FROM audit.entries WHERE subject = $1 AND type = $2"
    leaf = await soon(
        lambda: superuser.fetchval(told, f"alert/{opened}", "chenu.audit.alert.closed"), "the event"
    )
    data = json.loads(leaf)["data"]
    assert data["actor"]["person"] == system_auditor.person
    assert "a test of ours" not in leaf
    assert data["after"].startswith("hmac-sha256:")


async def nobody_has_any(*_: object) -> list[bytes]:
    return []


async def no_bundle(*_: object) -> bytes:
    raise LookupError


async def test_an_alert_that_mends_itself_and_one_that_is_none_cannot_be_closed(
    service: Service[AuditSettings], superuser: asyncpg.Connection, close: Any
) -> None:
    about = f"http://{uuid4()}"
    with background("test"):
        async with service.worker.work() as tx:
            await raise_alert(tx, WITNESS_SILENT, about, "tree-head")
    opened = await superuser.fetchval(
        "SELECT alert_id::text FROM audit.alerts WHERE source = $1", about
    )
    for alert_id, reason in ((opened, "ALERT_MENDS_ITSELF"), (str(uuid4()), "ALERT_NOT_FOUND")):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await close(alert_id)
        assert reason_of(refused.value) == reason


async def test_what_belongs_to_no_tenant_is_read_by_whom_the_settings_name_and_nobody_else(
    *, publish: Publish, source: StandInSource, entries: Any, person: Person,
    identity: StandInIdentity, system_auditor: Person,
) -> None:  # fmt: skip
    mark = f"method/{uuid4()}"
    nobody = an_event(Person(tenant=SYSTEM_TENANT), subject=mark, outcome="UNAUTHENTICATED")
    tenants = an_event(person, subject=mark)
    bundle = source.bundle([nobody, tenants])
    await publish(bundle)
    request = ListSystemEntriesRequest(page_size=1, filter=f"resource = {mark}")
    me = identity.as_human(system_auditor)

    async def found() -> Any:
        return (await entries.ListSystemEntries(request, metadata=me)).entries

    (entry,) = await soon(found, "the record of the call without a token")
    assert entry.leaf == nobody
    everything = ListSystemEntriesRequest(page_size=1)
    answer = await entries.ListSystemEntries(everything, metadata=me)
    everything.page_token = answer.next_page_token
    older = await entries.ListSystemEntries(everything, metadata=me)
    assert older.entries[0].index < answer.entries[0].index
    # A tenant's auditor and owner is nobody to the system, and sees nothing of it otherwise.
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await entries.ListSystemEntries(request, metadata=identity.as_human(person))
    assert reason_of(refused.value) == "SYSTEM_AUDITOR_REQUIRED"
    for who, seen in ((person, [tenants]), (system_auditor, [])):
        wanted = ListEntriesRequest(resource=mark)
        own = await entries.ListEntries(wanted, metadata=identity.as_human(who))
        assert [one.leaf for one in own.entries] == seen
    read = ListEntriesRequest(resource=f"tenant/{SYSTEM_TENANT}")

    async def recorded() -> Any:
        return (await entries.ListEntries(read, metadata=me)).entries

    await soon(recorded, "the reading is in the reader's own log")
