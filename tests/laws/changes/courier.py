"""Endpoints, deliveries, and the readings of the audit log."""

from typing import Any
from uuid import uuid4

from google.protobuf.field_mask_pb2 import FieldMask

from chenu.audit.v1 import entry_service_pb2 as audit
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.export_pb2 import ExportFormat
from chenu.audit.v1.export_service_pb2 import ExportEntriesRequest
from chenu.audit.v1.export_service_pb2_grpc import ExportServiceStub
from chenu.courier.v1 import channel_service_pb2 as channels
from chenu.courier.v1 import delivery_service_pb2 as deliveries
from chenu.courier.v1 import endpoint_service_pb2 as endpoints
from chenu.courier.v1.channel_service_pb2_grpc import ChannelServiceStub
from chenu.courier.v1.endpoint_pb2 import Endpoint
from chenu.governance.v1.executor_service_pb2 import ExecuteActionRequest
from chenu.governance.v1.executor_service_pb2_grpc import ExecutorServiceStub
from chenu_gate.action import Target
from tests.laws.changes.scene import Call, Prepare, Scene
from tests.laws.hands import person_of, use
from tests.laws.household import notified
from tests.laws.stories import reason
from tests.support.waiting import soon


async def endpoint(s: Scene, path: str = "/status/200") -> Any:
    request = endpoints.CreateEndpointRequest(name=str(uuid4()), url=s.outside.url(path))
    return (await s.me.endpoints.CreateEndpoint(request, metadata=s.me.me)).endpoint


async def create_endpoint(s: Scene) -> Call:
    request = endpoints.CreateEndpointRequest(name="New", url=s.outside.url("/status/200"))
    return lambda: s.me.endpoints.CreateEndpoint(request, metadata=s.me.me)


async def update_endpoint(s: Scene) -> Call:
    there = await endpoint(s)
    request = endpoints.UpdateEndpointRequest(
        endpoint_id=there.endpoint_id,
        endpoint=Endpoint(disabled=True),
        update_mask=FieldMask(paths=["disabled"]),
        etag=there.etag,
    )
    return lambda: s.me.endpoints.UpdateEndpoint(request, metadata=s.me.me)


async def delete_endpoint(s: Scene) -> Call:
    request = endpoints.DeleteEndpointRequest(endpoint_id=(await endpoint(s)).endpoint_id)
    return lambda: s.me.endpoints.DeleteEndpoint(request, metadata=s.me.me)


async def create_channel(s: Scene) -> Call:
    request = channels.CreateChannelRequest(name="New", webhook_url=s.outside.url("/status/200"))
    return lambda: s.stub(ChannelServiceStub, "courier").CreateChannel(request, metadata=s.me.me)


async def switch_channel(s: Scene) -> Call:
    channel, _ = await notified(s.me, s.hands)
    request = channels.SwitchChannelRequest(channel_id=channel, disabled=True)
    return lambda: s.stub(ChannelServiceStub, "courier").SwitchChannel(request, metadata=s.me.me)


async def delete_channel(s: Scene) -> Call:
    channel, _ = await notified(s.me, s.hands)
    request = channels.DeleteChannelRequest(channel_id=channel)
    return lambda: s.stub(ChannelServiceStub, "courier").DeleteChannel(request, metadata=s.me.me)


async def replay_notification(s: Scene) -> Call:
    _, notification = await notified(s.me, s.hands)
    request = channels.ReplayNotificationRequest(notification_id=notification)
    stub = s.stub(ChannelServiceStub, "courier")
    return lambda: stub.ReplayNotification(request, metadata=s.me.me)


async def approved_send(s: Scene, path: str) -> Call:
    """A message to the place outside that a person approved."""
    there = await endpoint(s, path)
    target = Target("endpoint", there.endpoint_id, there.etag)
    payload = {"text": "hello"}
    action = use(s.me, "webhook.send", target, endpoint=there.endpoint_id, payload=payload)
    request_id = str(uuid4())
    gated = await s.hands.ask(s.me, action, request_id)
    await s.me.approve(gated.checkpoint.checkpoint_id)
    permit = (await s.hands.ask(s.me, action, request_id)).permit
    stub = s.stub(ExecutorServiceStub, "courier")
    request = ExecuteActionRequest(action=action.canonical(), permit=permit)
    metadata = await s.hands.nova(s.me)
    return lambda: stub.ExecuteAction(request, metadata=metadata)


async def execute(s: Scene) -> Call:
    return await approved_send(s, "/status/200")


async def reconcile_delivery(s: Scene) -> Call:
    send = await approved_send(s, "/abort")
    assert (await reason(send()))[1] == "OUTCOME_UNKNOWN"
    told = "SELECT count(*) FROM governance.executions WHERE tenant = $1 AND state = 'unknown'"
    tenant = person_of(s.me).tenant
    await soon(lambda: s.superuser.fetchval(told, tenant), "governance has heard of it")
    listed = await s.me.deliveries.ListDeliveries(
        deliveries.ListDeliveriesRequest(), metadata=s.me.me
    )
    request = deliveries.ReconcileDeliveryRequest(
        delivery_id=listed.deliveries[0].delivery_id, state="DELIVERY_STATE_SUCCEEDED"
    )
    return lambda: s.me.deliveries.ReconcileDelivery(request, metadata=s.me.me)


async def watch(s: Scene) -> Call:
    """A stream of records as they come, left after its first sign of life."""

    async def first() -> Any:
        stub = s.stub(EntryServiceStub, "audit")
        return await anext(aiter(stub.WatchEntries(audit.WatchEntriesRequest(), metadata=s.me.me)))

    return first


async def export(s: Scene) -> Call:
    """A whole export, read to its end."""
    await (await read("GetEntry")(s))()
    request = ExportEntriesRequest(format=ExportFormat.EXPORT_FORMAT_JSONL)

    async def whole() -> int:
        stub = s.stub(ExportServiceStub, "audit")
        pieces = [one async for one in stub.ExportEntries(request, metadata=s.me.me)]
        return len(pieces)

    return whole


def read(rpc: str) -> Prepare:
    """A reading of the log, which is itself recorded."""

    async def prepare(s: Scene) -> Call:
        tenant = person_of(s.me).tenant
        first = "SELECT min(index) + 1 FROM audit.entries WHERE tenant = $1"
        found = await soon(lambda: s.superuser.fetchval(first, tenant), "audit has heard of it")
        fields = {"index": found - 1} if rpc == "GetEntry" else {}
        request = getattr(audit, f"{rpc}Request")(**fields)
        return lambda: getattr(s.stub(EntryServiceStub, "audit"), rpc)(request, metadata=s.me.me)

    return prepare
