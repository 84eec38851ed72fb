"""What records say of people, opened with a key that identity keeps and may have destroyed."""

import hmac
import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chenu.audit.v1.entry_pb2 import PersonalState
from chenu.identity.v1.subject_key_service_pb2 import DestroySubjectKeyRequest, GetSubjectKeyRequest
from chenu.identity.v1.subject_key_service_pb2_grpc import SubjectKeyServiceStub
from kernel.channels import Channels, alone

_NONCE = 12
_log = structlog.get_logger(component="personal")
Opened = tuple["PersonalState", dict[str, str]]


class PersonalInvalid(ValueError):
    """The sealed bytes are not what the record commits to."""


class SubjectKeys:
    """Identity's keys, asked for each time: what is destroyed there is gone here at once."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels

    async def open(self, tenant: str, personal: Mapping[str, str]) -> Opened:
        """What a record says of its subject, where it still can be read."""
        request = GetSubjectKeyRequest(tenant_id=tenant, person_id=personal["subject"])
        try:
            with alone():
                key = (await self._stub().GetSubjectKey(request, timeout=3)).key
        except grpc.aio.AioRpcError:
            return PersonalState.PERSONAL_STATE_UNAVAILABLE, {}
        if not key:
            return PersonalState.PERSONAL_STATE_ERASED, {}
        content = _readable(key, personal)
        if content is None:
            return PersonalState.PERSONAL_STATE_UNAVAILABLE, {}
        return PersonalState.PERSONAL_STATE_READABLE, content["fields"]

    async def reveal(
        self, tenant: str, sealed: Sequence[Mapping[str, str]]
    ) -> list[dict[str, Any] | None]:
        """Each content with the key of its commitment; None where nobody can read it any more.

        Raises grpc.aio.AioRpcError where identity does not answer.
        """
        keys: dict[str, bytes] = {}
        for person in {personal["subject"] for personal in sealed}:
            request = GetSubjectKeyRequest(tenant_id=tenant, person_id=person)
            try:
                with alone():
                    keys[person] = (await self._stub().GetSubjectKey(request, timeout=3)).key
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.PERMISSION_DENIED:
                    raise
        return [_readable(keys.get(personal["subject"], b""), personal) for personal in sealed]

    async def destroy(self, tenant: str, person: str) -> tuple[bool, list[str]]:
        """Have a person's key destroyed; whether there still was one, and their identities."""
        request = DestroySubjectKeyRequest(tenant_id=tenant, person_id=person)
        with alone():
            answer = await self._stub().DestroySubjectKey(request, timeout=10)
        return bool(answer.destroyed), list(answer.identity_ids)

    def _stub(self) -> Any:
        return SubjectKeyServiceStub(self._channels.channel("identity"))


def _readable(key: bytes, personal: Mapping[str, str]) -> dict[str, Any] | None:
    try:
        return unseal(key, personal) if key else None
    except PersonalInvalid as error:
        _log.warning("not readable", subject=personal["subject"], problem=str(error))
        return None


def unseal(key: bytes, personal: Mapping[str, str]) -> dict[str, Any]:
    """`fields`, and the `key` of the record's commitment; PersonalInvalid where they do not fit."""
    try:
        sealed = b64decode(personal["sealed"])
        opened = AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], personal["subject"].encode())
    except (InvalidTag, ValueError, KeyError, TypeError):
        raise PersonalInvalid("sealed under another key, or altered") from None
    content: dict[str, Any] = json.loads(opened)
    fields = json.dumps(
        content["fields"], sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    mac = hmac.digest(bytes.fromhex(content["key"]), fields.encode(), "sha256").hex()
    if personal["commitment"] != f"hmac-sha256:{mac}":
        raise PersonalInvalid("not what the record commits to")
    return content
