"""ChannelService."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from chenu.courier.v1 import channel_service_pb2 as rpc
from chenu.courier.v1.channel_pb2 import Channel
from chenu.courier.v1.channel_service_pb2_grpc import ChannelServiceServicer
from kernel.caller import Caller
from kernel.context import current, new_id
from kernel.database import Database, Record
from kernel.errors import Unauthenticated
from kernel.idempotency import claim, remember
from kernel.pagination import PageTokens, page_size
from kernel.tokens import KeySet
from services.courier import channels, codes, notifications, resources
from services.courier.addresses import AddressRefused
from services.courier.channels import Address
from services.courier.codes import new_code
from services.courier.dialing import Dialer
from services.courier.errors import (
    ChannelGrantInvalid,
    ConfirmationInvalid,
    MailNotConfigured,
    UrlRefused,
)
from services.courier.mailing import Mailer
from services.courier.signatures import new_signing_key
from services.courier.slack_apps import API_URL
from services.courier.vault import Vault, VaultKeyMissing
from services.courier.wording import CONFIRMATION

_CREATE: Final = "/chenu.courier.v1.ChannelService/CreateChannel"
_KINDS: Final = {
    "webhook_url": "webhook",
    "email": "email",
    "slack_webhook_url": "slack",
    "slack_app": "slack_app",
}


class ChannelServicer(ChannelServiceServicer):
    """The caller's channels, and what was sent to them."""

    def __init__(
        self,
        database: Database,
        pages: PageTokens,
        dialer: Dialer,
        mailer: Mailer,
        vault: Vault,
        *,
        queued: Callable[[], None],
        keys: KeySet,
    ) -> None:
        self._keys = keys
        self._database, self._pages, self._vault = database, pages, vault
        self._dialer, self._mailer, self._queued = dialer, mailer, queued

    async def CreateChannel(
        self, request: rpc.CreateChannelRequest, context: Any
    ) -> rpc.CreateChannelResponse:
        caller, channel_id = current().caller, new_id()
        kind = _KINDS[request.WhichOneof("address") or ""]
        there, refusal = None, None
        try:
            there = await self._address(kind, request)
        except (UrlRefused, MailNotConfigured) as error:
            refusal = error  # unless the request made its channel when that was still possible
        async with self._database.transaction(caller) as tx:
            made = await claim(tx, caller, request.request_id, _CREATE, request)
            if made is not None:
                return rpc.CreateChannelResponse(
                    channel=self._message(await channels.get(tx, made))
                )
            if there is None:
                raise refusal or AssertionError("neither an address nor a refusal")
            sealed = there.sealed(self._vault, channel_id)
            row = await channels.create(
                tx, caller, channel_id, name=request.name, kind=kind, sealed=sealed
            )
            if there.code:
                await codes.count(tx, self._vault, caller, there)
                await notifications.confirm(tx, channel_id)
            await remember(tx, caller, request.request_id, channel_id)
        self._queued()
        shown = there.secret if kind == "webhook" else ""
        return rpc.CreateChannelResponse(channel=self._message(row), secret=shown)

    async def ConfirmChannel(
        self, request: rpc.ConfirmChannelRequest, context: Any
    ) -> rpc.ConfirmChannelResponse:
        async with self._database.transaction(current().caller) as tx:
            row = await codes.confirm(tx, self._vault, request.channel_id, request.code)
        if not channels.confirmed(row):
            raise ConfirmationInvalid(left=str(codes.MOST_WRONG - row["wrong_codes"]))
        return rpc.ConfirmChannelResponse(channel=self._message(row))

    async def SetChannelGrant(
        self, request: rpc.SetChannelGrantRequest, context: Any
    ) -> rpc.SetChannelGrantResponse:
        caller, until = current().caller, None
        if request.channel_grant:
            until = await self._granted_until(caller, request)
        async with self._database.transaction(caller) as tx:
            row = await channels.set_grant(
                tx, self._vault, request.channel_id, request.channel_grant, until
            )
        return rpc.SetChannelGrantResponse(channel=self._message(row))

    async def ListChannels(
        self, request: rpc.ListChannelsRequest, context: Any
    ) -> rpc.ListChannelsResponse:
        size = page_size(request.page_size)
        cursor = self._pages.decode(request.page_token, request)
        after = (cursor["name"], cursor["id"]) if cursor else ("", channels.FIRST_ID)
        async with self._database.transaction(current().caller) as tx:
            rows = await channels.list_channels(tx, limit=size + 1, after=after)
        page, token = self._pages.page(
            rows, size, request, lambda row: {"name": row["name"], "id": row["channel_id"]}
        )
        return rpc.ListChannelsResponse(channels=map(self._message, page), next_page_token=token)

    async def SwitchChannel(
        self, request: rpc.SwitchChannelRequest, context: Any
    ) -> rpc.SwitchChannelResponse:
        async with self._database.transaction(current().caller) as tx:
            row = await channels.switch(tx, request.channel_id, disabled=request.disabled)
        self._queued()
        return rpc.SwitchChannelResponse(channel=self._message(row))

    async def DeleteChannel(
        self, request: rpc.DeleteChannelRequest, context: Any
    ) -> rpc.DeleteChannelResponse:
        async with self._database.transaction(current().caller) as tx:
            await channels.delete(tx, request.channel_id)
        return rpc.DeleteChannelResponse()

    async def ListNotifications(
        self, request: rpc.ListNotificationsRequest, context: Any
    ) -> rpc.ListNotificationsResponse:
        size = page_size(request.page_size)
        place = self._pages.before(request)
        async with self._database.transaction(current().caller) as tx:
            rows = await notifications.list_notifications(
                tx,
                channel_id=request.channel_id or None,
                checkpoint_id=request.checkpoint_id or None,
                limit=size + 1,
                **place,
            )
        page, token = self._pages.by_time(rows, size, request, "create_time", "notification_id")
        return rpc.ListNotificationsResponse(
            notifications=map(resources.notification, page), next_page_token=token
        )

    async def ReplayNotification(
        self, request: rpc.ReplayNotificationRequest, context: Any
    ) -> rpc.ReplayNotificationResponse:
        caller = current().caller
        async with self._database.transaction(caller) as tx:
            row = await notifications.replay(tx, request.notification_id)
            if row["type"] == CONFIRMATION:
                await codes.send_again(tx, self._vault, caller, row["channel_id"])
        self._queued()
        return rpc.ReplayNotificationResponse(notification=resources.notification(row))

    async def _address(self, kind: str, request: rpc.CreateChannelRequest) -> Address:
        """Where the channel will lead; UrlRefused and MailNotConfigured where it cannot."""
        if kind == "email":
            if not self._mailer.configured:
                raise MailNotConfigured
            return Address(request.email, code=new_code())
        app = request.slack_app
        url = request.webhook_url or request.slack_webhook_url or app.api_url or API_URL
        try:
            target = await self._dialer.check(url)
        except AddressRefused as refused:
            raise UrlRefused(cause=refused.cause.value) from None
        if kind == "slack":
            return Address(target.url)
        if kind == "slack_app":
            return Address(
                target.url, app.signing_secret, token=app.bot_token, user=app.user_id,
                code=new_code(),
            )  # fmt: skip
        return Address(target.url, self._vault.new_secret(), new_signing_key())

    async def _granted_until(self, caller: Caller, request: rpc.SetChannelGrantRequest) -> datetime:
        """When the grant ends; ChannelGrantInvalid unless it is the caller's, for this channel."""
        try:
            claims = await self._keys.verify(
                request.channel_grant, typ="channel-grant+jwt", audience="identity"
            )
        except Unauthenticated:
            raise ChannelGrantInvalid from None
        named = (claims.get("sub"), claims.get("identity"), claims.get("channel"))
        if named != (caller.person, caller.identity, request.channel_id):
            raise ChannelGrantInvalid
        return datetime.fromtimestamp(claims["exp"], UTC)

    def _message(self, row: Record) -> Channel:
        try:
            there = channels.address(self._vault, row)
        except VaultKeyMissing:
            there = None
        return resources.channel(row, there)
