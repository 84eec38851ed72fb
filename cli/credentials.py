"""The tokens of a session: refreshed and exchanged by themselves, under the session's lock."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import grpc

from chenu.identity.v1.auth_service_pb2 import (
    LoginResponse,
    RefreshSessionRequest,
    RegisterResponse,
    SwitchIdentityResponse,
)
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from chenu.identity.v1.channel_grant_pb2 import ChannelMethod
from chenu.identity.v1.channel_grant_service_pb2 import IssueChannelGrantRequest
from chenu.identity.v1.channel_grant_service_pb2_grpc import ChannelGrantServiceStub
from chenu.identity.v1.token_service_pb2 import (
    Ballot,
    ExchangeDelegationRequest,
    IssueVoteTokenRequest,
)
from chenu.identity.v1.token_service_pb2_grpc import TokenServiceStub
from cli.session_file import Session, SessionFile

MARGIN_SECONDS: Final = 45.0
_SECONDS: Final = 15.0


class Credentials:
    """Tokens for calls, from one session file; `identity` opens a channel that adds none."""

    def __init__(self, file: SessionFile, identity: Callable[[], grpc.aio.Channel]) -> None:
        self.file, self._identity = file, identity
        self._changing = asyncio.Lock()

    @property
    def session_secret(self) -> str:
        """What shows that a person is here, and not only a token of theirs."""
        return self.file.load().session_secret

    def begin(self, answer: LoginResponse | RegisterResponse) -> Session:
        """Keep the session that a log-in gave."""
        given = answer.session
        session = Session(
            email=given.user.email,
            user_id=given.user.user_id,
            tenant_id=given.user.tenant_id,
            identity_id=given.identity.identity_id,
            identity_name=given.identity.display_name,
            access_token=answer.access_token,
            access_expires=given.access_expire_time.ToSeconds(),
            refresh_token=given.refresh_token,
            session_secret=answer.session_secret,
        )
        self.file.save(session)
        return session

    def go_on_as(self, answer: SwitchIdentityResponse) -> None:
        """Keep what a switch gave; Nova's delegation was of the identity before."""
        with self.file.locked():
            session = self.file.load()
            session.identity_id = answer.identity.identity_id
            session.identity_name = answer.identity.display_name
            session.access_token = answer.access_token
            session.access_expires = answer.access_expire_time.ToSeconds()
            session.delegation_token, session.delegation_expires = "", 0.0
            self.file.save(session)

    async def access_token(self) -> str:
        """An access token with some life before it."""
        session = self.file.load()
        if not _fresh(session.access_expires):
            session = await self._change(self._refresh)
        return session.access_token

    async def delegation_token(self) -> str:
        """A token that works in Nova's hands only."""
        session = self.file.load()
        if not _fresh(session.delegation_expires):
            session = await self._change(self._exchange)
        return session.delegation_token

    async def vote_token(self, checkpoint_id: str, view_digest: str) -> str:
        """A token for one vote on one view, bought with the session secret."""
        request = IssueVoteTokenRequest(
            session_secret=self.session_secret,
            checkpoint_id=checkpoint_id,
            view_digest=view_digest,
        )
        answer = await TokenServiceStub(self._identity()).IssueVoteToken(request, timeout=_SECONDS)
        return answer.vote_token

    async def batch_token(self, ballots: Sequence[tuple[str, str]]) -> str:
        """A token for one vote on each of these views of these checkpoints."""
        request = IssueVoteTokenRequest(
            session_secret=self.session_secret,
            ballots=[Ballot(checkpoint_id=one, view_digest=seen) for one, seen in ballots],
        )
        answer = await TokenServiceStub(self._identity()).IssueVoteToken(request, timeout=_SECONDS)
        return answer.vote_token

    async def channel_grant(self, channel_id: str, *, chat: bool) -> str:
        """What lets a channel be sent ballots, bought with the session secret."""
        request = IssueChannelGrantRequest(
            session_secret=self.session_secret,
            channel_id=channel_id,
            method=ChannelMethod.CHANNEL_METHOD_CHAT if chat else ChannelMethod.CHANNEL_METHOD_MAIL,
        )
        stub = ChannelGrantServiceStub(self._identity())
        return (await stub.IssueChannelGrant(request, timeout=_SECONDS)).channel_grant

    async def _change(self, change: Callable[[Session], Awaitable[None]]) -> Session:
        """The session after `change`, unless another task or process has made it meanwhile."""
        async with self._changing:
            with self.file.locked():
                session = self.file.load()
                await change(session)
                self.file.save(session)
                return session

    async def _refresh(self, session: Session) -> None:
        if _fresh(session.access_expires):
            return
        request = RefreshSessionRequest(refresh_token=session.refresh_token)
        answer = await AuthServiceStub(self._identity()).RefreshSession(request, timeout=_SECONDS)
        session.access_token = answer.access_token
        session.access_expires = answer.session.access_expire_time.ToSeconds()
        session.refresh_token = answer.session.refresh_token

    async def _exchange(self, session: Session) -> None:
        if _fresh(session.delegation_expires):
            return
        await self._refresh(session)
        answer = await TokenServiceStub(self._identity()).ExchangeDelegation(
            ExchangeDelegationRequest(),
            timeout=_SECONDS,
            metadata=(("authorization", f"Bearer {session.access_token}"),),
        )
        session.delegation_token = answer.delegation_token
        session.delegation_expires = answer.expire_time.ToSeconds()


def _fresh(expires: float) -> bool:
    return expires > time.time() + MARGIN_SECONDS
