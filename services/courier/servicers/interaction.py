"""InteractionService."""

from typing import Any

from chenu.courier.v1 import interaction_service_pb2 as rpc
from chenu.courier.v1.interaction_service_pb2_grpc import InteractionServiceServicer
from services.courier.interactions import Interactions


class InteractionServicer(InteractionServiceServicer):
    """What is pressed in chats."""

    def __init__(self, interactions: Interactions) -> None:
        self._interactions = interactions

    async def AnswerInteraction(
        self, request: rpc.AnswerInteractionRequest, context: Any
    ) -> rpc.AnswerInteractionResponse:
        ballot, option = await self._interactions.answer(
            request.body, request.timestamp, request.signature
        )
        return rpc.AnswerInteractionResponse(ballot=ballot, option_id=option)

    async def ExplainInteraction(
        self, request: rpc.ExplainInteractionRequest, context: Any
    ) -> rpc.ExplainInteractionResponse:
        of = request.interaction
        told = await self._interactions.explain(
            of.body, of.timestamp, of.signature, reason=request.reason, text=request.text
        )
        return rpc.ExplainInteractionResponse(told=told)
