"""DeliveryService."""

from typing import Any

from chenu.courier.v1 import delivery_service_pb2 as rpc
from chenu.courier.v1.delivery_service_pb2_grpc import DeliveryServiceServicer
from chenu_gate.executor import Executions
from kernel.context import current
from kernel.database import Database
from kernel.pagination import PageTokens, page_size
from services.courier import deliveries, resources


class DeliveryServicer(DeliveryServiceServicer):
    """What was sent for the caller, and what became of it."""

    def __init__(self, database: Database, pages: PageTokens, executions: Executions) -> None:
        self._database, self._pages, self._executions = database, pages, executions

    async def GetDelivery(
        self, request: rpc.GetDeliveryRequest, context: Any
    ) -> rpc.GetDeliveryResponse:
        async with self._database.transaction(current().caller) as tx:
            row = await deliveries.get(tx, request.delivery_id)
        return rpc.GetDeliveryResponse(delivery=resources.delivery(row))

    async def ListDeliveries(
        self, request: rpc.ListDeliveriesRequest, context: Any
    ) -> rpc.ListDeliveriesResponse:
        size = page_size(request.page_size)
        place = self._pages.before(request)
        async with self._database.transaction(current().caller) as tx:
            rows = await deliveries.list_deliveries(
                tx,
                state=resources.state_word(request.state),
                endpoint_id=request.endpoint_id or None,
                limit=size + 1,
                **place,
            )
        page, token = self._pages.by_time(rows, size, request, "create_time", "delivery_id")
        return rpc.ListDeliveriesResponse(
            deliveries=map(resources.delivery, page), next_page_token=token
        )

    async def ReconcileDelivery(
        self, request: rpc.ReconcileDeliveryRequest, context: Any
    ) -> rpc.ReconcileDeliveryResponse:
        async with self._database.transaction(current().caller) as tx:
            row = await deliveries.reconcile(
                tx,
                self._executions,
                request.delivery_id,
                resources.state_word(request.state),
                request.comment,
            )
        return rpc.ReconcileDeliveryResponse(delivery=resources.delivery(row))
