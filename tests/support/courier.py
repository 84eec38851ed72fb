"""The courier service as its tests talk to it: stubs, endpoints, and permitted sends."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import grpc

from chenu.courier.v1.channel_service_pb2_grpc import ChannelServiceStub
from chenu.courier.v1.delivery_pb2 import Delivery
from chenu.courier.v1.delivery_service_pb2 import GetDeliveryRequest, ListDeliveriesRequest
from chenu.courier.v1.delivery_service_pb2_grpc import DeliveryServiceStub
from chenu.courier.v1.endpoint_pb2 import Endpoint
from chenu.courier.v1.endpoint_service_pb2 import CreateEndpointRequest
from chenu.courier.v1.endpoint_service_pb2_grpc import EndpointServiceStub
from chenu.courier.v1.interaction_service_pb2_grpc import InteractionServiceStub
from chenu.events.v1.subject_service_pb2_grpc import SubjectServiceStub
from chenu.governance.v1.executor_service_pb2 import ExecuteActionRequest, ExecuteActionResponse
from chenu.governance.v1.executor_service_pb2_grpc import ExecutorServiceStub
from chenu_gate.action import Action, Principal, Target
from services.courier.tools import TOOLBOX
from tests.support.governance import StandInGovernance
from tests.support.identity import Metadata, Person, StandInIdentity


@dataclass(frozen=True)
class Registered:
    """An endpoint and the secret that was shown once."""

    endpoint: Endpoint
    secret: str


class CourierClient:
    """All stubs of the service on one channel, and what tests do again and again."""

    def __init__(
        self, channel: grpc.aio.Channel, identity: StandInIdentity, governance: StandInGovernance
    ) -> None:
        self.channels = ChannelServiceStub(channel)
        self.interactions = InteractionServiceStub(channel)
        self.endpoints = EndpointServiceStub(channel)
        self.deliveries = DeliveryServiceStub(channel)
        self.executor = ExecutorServiceStub(channel)
        self.subjects = SubjectServiceStub(channel)
        self.identity, self.governance = identity, governance

    async def register(
        self, person: Person, url: str, *, name: str = "", **fields: Any
    ) -> Registered:
        """A new endpoint of the person's."""
        request = CreateEndpointRequest(name=name or str(uuid4()), url=url, **fields)
        made = await self.endpoints.CreateEndpoint(request, metadata=self.identity.as_human(person))
        return Registered(made.endpoint, made.secret)

    def action(
        self, person: Person, endpoint: Endpoint, payload: Any = None, *, agent: str = ""
    ) -> Action:
        """What Nova would plan: a message to the endpoint as it is there."""
        tool = TOOLBOX.tools["webhook.send"]
        return Action(
            kind=tool.kind,
            tool=tool.pinned,
            executor="courier",
            principal=Principal(person.tenant, person.person, person.identity, agent),
            source_sphere="business",
            target_sphere="business",
            targets=(Target("endpoint", endpoint.endpoint_id, endpoint.etag, endpoint.name),),
            arguments={
                "endpoint": endpoint.endpoint_id,
                "payload": {"text": "hello"} if payload is None else payload,
            },
            run=str(uuid4()),
        )

    async def execute(
        self,
        person: Person,
        action: Action,
        permit: str = "",
        *,
        metadata: Metadata | None = None,
        timeout: float | None = None,
    ) -> ExecuteActionResponse:
        """Have Nova execute the action, with a permit of a new decision unless one is given."""
        return await self.executor.ExecuteAction(
            ExecuteActionRequest(
                action=action.canonical(), permit=permit or self.governance.permit(action)
            ),
            metadata=metadata or self.identity.as_nova(person, action.principal.agent),
            timeout=timeout,
        )

    async def delivery(self, person: Person, decision: str) -> Delivery:
        """What was sent under the decision."""
        answer = await self.deliveries.ListDeliveries(
            ListDeliveriesRequest(), metadata=self.identity.as_human(person)
        )
        (found,) = [d for d in answer.deliveries if d.decision_id == decision]
        again = await self.deliveries.GetDelivery(
            GetDeliveryRequest(delivery_id=found.delivery_id),
            metadata=self.identity.as_human(person),
        )
        assert again.delivery == found
        return found
