"""TombstoneService: rejections that hold."""

from __future__ import annotations

from typing import Any

from chenu.governance.v1 import tombstone_service_pb2 as rpc
from chenu.governance.v1.tombstone_service_pb2_grpc import TombstoneServiceServicer
from kernel.context import current
from services.governance.holds.tombstones import Tombstones


class TombstoneServicer(TombstoneServiceServicer):
    """Lists and lifts."""

    def __init__(self, tombstones: Tombstones) -> None:
        self._tombstones = tombstones

    async def ListTombstones(
        self, request: rpc.ListTombstonesRequest, context: Any
    ) -> rpc.ListTombstonesResponse:
        tombstones, token = await self._tombstones.page(current().caller, request)
        return rpc.ListTombstonesResponse(tombstones=tombstones, next_page_token=token)

    async def LiftTombstone(
        self, request: rpc.LiftTombstoneRequest, context: Any
    ) -> rpc.LiftTombstoneResponse:
        await self._tombstones.lift(current().caller, request.checkpoint_id)
        return rpc.LiftTombstoneResponse()
