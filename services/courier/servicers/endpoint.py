"""EndpointService."""

from typing import Any, Final

from chenu.courier.v1 import endpoint_service_pb2 as rpc
from chenu.courier.v1.endpoint_service_pb2_grpc import EndpointServiceServicer
from kernel.context import current, new_id
from kernel.database import Database
from kernel.idempotency import claim, remember
from kernel.pagination import PageTokens, page_size
from services.courier import endpoints, resources
from services.courier.addresses import AddressRefused
from services.courier.dialing import Dialer
from services.courier.edits import edited_columns
from services.courier.errors import UrlRefused
from services.courier.vault import Vault

_CREATE: Final = "/chenu.courier.v1.EndpointService/CreateEndpoint"


class EndpointServicer(EndpointServiceServicer):
    """The caller's endpoints."""

    def __init__(self, database: Database, pages: PageTokens, dialer: Dialer, vault: Vault) -> None:
        self._database, self._pages = database, pages
        self._dialer, self._vault = dialer, vault

    async def CreateEndpoint(
        self, request: rpc.CreateEndpointRequest, context: Any
    ) -> rpc.CreateEndpointResponse:
        caller = current().caller
        url, refusal = "", None
        try:
            url = await self._checked(request.url)
        except UrlRefused as error:
            refusal = error  # unless the request made its endpoint when that was still allowed
        endpoint_id, secret = new_id(), self._vault.new_secret()
        async with self._database.transaction(caller) as tx:
            made = await claim(tx, caller, request.request_id, _CREATE, request)
            if made is not None:
                row = await endpoints.get(tx, made)
                return rpc.CreateEndpointResponse(endpoint=resources.endpoint(row))
            if refusal is not None:
                raise refusal
            row = await endpoints.create(
                tx,
                endpoint_id,
                name=request.name,
                url=url,
                idempotent=request.idempotent,
                sealed=self._vault.seal(secret, endpoint_id),
            )
            await remember(tx, caller, request.request_id, endpoint_id)
        return rpc.CreateEndpointResponse(endpoint=resources.endpoint(row), secret=secret)

    async def GetEndpoint(
        self, request: rpc.GetEndpointRequest, context: Any
    ) -> rpc.GetEndpointResponse:
        async with self._database.transaction(current().caller) as tx:
            row = await endpoints.get(tx, request.endpoint_id)
        return rpc.GetEndpointResponse(endpoint=resources.endpoint(row))

    async def ListEndpoints(
        self, request: rpc.ListEndpointsRequest, context: Any
    ) -> rpc.ListEndpointsResponse:
        size = page_size(request.page_size)
        cursor = self._pages.decode(request.page_token, request)
        after = (str(cursor["name"]), str(cursor["id"])) if cursor else ("", endpoints.FIRST_ID)
        async with self._database.transaction(current().caller) as tx:
            rows = await endpoints.list_endpoints(
                tx, limit=size + 1, after=after, reference=request.reference
            )
        page, token = self._pages.page(
            rows, size, request, lambda row: {"name": row["name"], "id": row["endpoint_id"]}
        )
        return rpc.ListEndpointsResponse(
            endpoints=map(resources.endpoint, page), next_page_token=token
        )

    async def UpdateEndpoint(
        self, request: rpc.UpdateEndpointRequest, context: Any
    ) -> rpc.UpdateEndpointResponse:
        columns = edited_columns(request.endpoint, request.update_mask.paths)
        if "url" in columns:
            columns["url"] = await self._checked(columns["url"])
        async with self._database.transaction(current().caller) as tx:
            row = await endpoints.update(tx, request.endpoint_id, request.etag, columns)
        return rpc.UpdateEndpointResponse(endpoint=resources.endpoint(row))

    async def DeleteEndpoint(
        self, request: rpc.DeleteEndpointRequest, context: Any
    ) -> rpc.DeleteEndpointResponse:
        async with self._database.transaction(current().caller) as tx:
            await endpoints.delete(tx, request.endpoint_id)
        return rpc.DeleteEndpointResponse()

    async def _checked(self, url: str) -> str:
        """The URL as it will be called."""
        try:
            return (await self._dialer.check(url)).url
        except AddressRefused as refused:
            raise UrlRefused(cause=refused.cause.value) from None
