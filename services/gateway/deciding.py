"""Deciding from where people are: the link of a mail, the button of a chat.

Both bring a ballot, which identity redeems for a vote token; the vote is cast as any other is.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import parse_qs

import grpc
import structlog
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chenu.courier.v1.interaction_service_pb2 import (
    AnswerInteractionRequest,
    ExplainInteractionRequest,
)
from chenu.courier.v1.interaction_service_pb2_grpc import InteractionServiceStub
from chenu.governance.v1.checkpoint_pb2 import Checkpoint, CheckpointState
from chenu.governance.v1.checkpoint_service_pb2 import (
    GetCheckpointRequest,
    ResolveCheckpointRequest,
)
from chenu.governance.v1.checkpoint_service_pb2_grpc import CheckpointServiceStub
from chenu.identity.v1.channel_grant_service_pb2 import RedeemBallotRequest, RedeemBallotResponse
from chenu.identity.v1.channel_grant_service_pb2_grpc import ChannelGrantServiceStub
from kernel import telemetry
from kernel.channels import Channels, acting_as, alone
from kernel.context import CallContext, enter
from kernel.errors import reason_of
from services.gateway import problems
from services.gateway.decide_page import ballot_paper, page, standing
from services.gateway.refused_votes import refused_vote
from services.gateway.request_body import BodyRefused, read_body
from services.gateway.settings import GatewaySettings

_OPTIONS: Final = ("approve", "reject")
_MOST_BYTES: Final = 1 << 18
_PENDING: Final = CheckpointState.CHECKPOINT_STATE_PENDING
_CHANGED: Final = "What this link was for has changed since. There is a newer message about it."
_NOT_COUNTED: Final = "Your vote was not counted."
_OVER: Final = frozenset({"CHECKPOINT_NOT_PENDING", "CHECKPOINT_EXPIRED"})
_log: Final = structlog.get_logger(component="deciding")
Handler = Callable[[Request], Awaitable[Response]]


class Deciding:
    """Shows what a ballot is for, and casts it."""

    def __init__(self, channels: Channels, settings: GatewaySettings) -> None:
        self._ballots = ChannelGrantServiceStub(channels.channel("identity"))
        self._checkpoints = CheckpointServiceStub(channels.channel("governance"))
        self._interactions = InteractionServiceStub(channels.channel("courier"))
        self._seconds = settings.call_seconds
        self._body_seconds = settings.body_seconds

    def routes(self) -> list[Route]:
        """A page for people, which only its POST lets decide, and Slack's request URL."""
        return [
            Route("/decide", self._guarded(self._show), methods=["GET"]),
            Route("/decide", self._guarded(self._decide), methods=["POST"]),
            Route("/api/v2/slack/interactions", self._guarded(self._press), methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        ballot = request.query_params.get("ballot", "")
        redeemed = await self._redeemed(ballot)
        checkpoint = await self._checkpoint(redeemed)
        if checkpoint.state != _PENDING:
            return standing(checkpoint)
        if checkpoint.etag != redeemed.view_digest:
            return page("It has changed", [_CHANGED], status=412)
        return ballot_paper(checkpoint, ballot)

    async def _decide(self, request: Request) -> Response:
        form = parse_qs((await self._body(request)).decode(errors="replace"))
        ballot, option, comment = (form.get(n, [""])[0] for n in ("ballot", "option", "comment"))
        if option not in _OPTIONS:
            return page("Nothing was decided", ["Choose: approve or reject."], status=400)
        redeemed = await self._redeemed(ballot)
        try:
            checkpoint = await self._vote(redeemed, option, comment[:1000])
        except grpc.aio.AioRpcError as error:
            if reason_of(error) not in _OVER:
                raise
            told = (_NOT_COUNTED, *refused_vote(error))
            return standing(await self._checkpoint(redeemed), *told)
        return standing(checkpoint, "Your vote was counted.")

    async def _press(self, request: Request) -> Response:
        """What Slack posts. A refused vote is answered with 200 as well: the request was good.

        Slack shows nobody that answer, and waits for it three seconds: why a vote did not count is
        told afterwards, at the address that came with it.
        """
        body = await self._body(request)
        asked = AnswerInteractionRequest(
            body=body,
            timestamp=request.headers.get("x-slack-request-timestamp", ""),
            signature=request.headers.get("x-slack-signature", ""),
        )
        try:
            with alone():
                pressed = await self._interactions.AnswerInteraction(asked)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                return problems.from_rpc(error)  # nobody of the channel's, or nothing to tell by
            return self._told(asked, error)
        try:
            if pressed.ballot:
                await self._vote(await self._redeemed(pressed.ballot), pressed.option_id)
        except grpc.aio.AioRpcError as error:
            return self._told(asked, error)
        return JSONResponse({})

    def _told(self, asked: AnswerInteractionRequest, error: grpc.aio.AioRpcError) -> Response:
        return JSONResponse({}, background=BackgroundTask(self._explain, asked, error))

    async def _explain(self, asked: AnswerInteractionRequest, error: grpc.aio.AioRpcError) -> None:
        """Let who pressed know; if that fails, the card has not changed all the same."""
        explained = ExplainInteractionRequest(
            interaction=asked,
            reason=reason_of(error) or error.code().name,
            text=" ".join((_NOT_COUNTED, *refused_vote(error)))[:1000],
        )
        try:
            with alone():
                await self._interactions.ExplainInteraction(explained)
        except grpc.aio.AioRpcError as failed:
            _log.info("not explained", reason=reason_of(failed))

    async def _redeemed(self, ballot: str) -> RedeemBallotResponse:
        with alone():
            return await self._ballots.RedeemBallot(RedeemBallotRequest(ballot=ballot))

    async def _checkpoint(self, redeemed: RedeemBallotResponse) -> Checkpoint:
        wanted = GetCheckpointRequest(checkpoint_id=redeemed.checkpoint_id)
        with acting_as(redeemed.vote_token):
            return (await self._checkpoints.GetCheckpoint(wanted)).checkpoint

    async def _vote(
        self, redeemed: RedeemBallotResponse, option: str, comment: str = ""
    ) -> Checkpoint:
        """Cast it; the same ballot again, with the same words, changes nothing."""
        vote = ResolveCheckpointRequest(
            checkpoint_id=redeemed.checkpoint_id,
            option_id=option,
            etag=redeemed.view_digest,
            comment=comment,
        )
        with acting_as(redeemed.vote_token):
            return (await self._checkpoints.ResolveCheckpoint(vote)).checkpoint

    def _guarded(self, handler: Handler) -> Handler:
        """With a context of its own, and what fails told on a page."""

        async def endpoint(request: Request) -> Response:
            with telemetry.server_span(f"{request.method} {request.url.path}", request.headers):
                enter(
                    CallContext(
                        request.url.path,
                        peer_ip=request.client.host if request.client else "",
                        deadline=time.monotonic() + self._seconds,
                    )
                )
                try:
                    return await handler(request)
                except grpc.aio.AioRpcError as error:
                    return _refusal(error, voted=request.method == "POST")
                except BodyRefused as refused:
                    return refused.response
                except ClientDisconnect:
                    return Response(status_code=499)

        return endpoint

    async def _body(self, request: Request) -> bytes:
        return await read_body(request, _MOST_BYTES, self._body_seconds)


def _refusal(error: grpc.aio.AioRpcError, *, voted: bool) -> Response:
    problem: Any = problems.from_rpc(error)
    title = _NOT_COUNTED if voted else "This link decides nothing"
    return page(title, refused_vote(error), status=problem.status_code)
