"""What records say of people, opened with a key that identity keeps and may have destroyed."""

import hmac
import json
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import grpc
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chenu.audit.v1.entry_pb2 import PersonalState
from chenu.identity.v1.subject_key_service_pb2 import DestroySubjectKeyRequest, GetSubjectKeyRequest
from chenu.identity.v1.subject_key_service_pb2_grpc import SubjectKeyServiceStub
from kernel.channels import Channels, alone

_NONCE = 12
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
        return PersonalState.PERSONAL_STATE_READABLE, unseal(key, personal)

    async def destroy(self, tenant: str, person: str) -> tuple[bool, list[str]]:
        """Have a person's key destroyed; whether there still was one, and their identities."""
        request = DestroySubjectKeyRequest(tenant_id=tenant, person_id=person)
        with alone():
            answer = await self._stub().DestroySubjectKey(request, timeout=10)
        return bool(answer.destroyed), list(answer.identity_ids)

    def _stub(self) -> Any:
        return SubjectKeyServiceStub(self._channels.channel("identity"))


def unseal(key: bytes, personal: Mapping[str, str]) -> dict[str, str]:
    """The content, checked against the record's commitment; PersonalInvalid where it differs."""
    sealed = b64decode(personal["sealed"])
    try:
        opened = AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], personal["subject"].encode())
    except InvalidTag:
        raise PersonalInvalid("sealed under another key, or altered") from None
    content = json.loads(opened)
    fields = json.dumps(
        content["fields"], sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    mac = hmac.digest(bytes.fromhex(content["key"]), fields.encode(), "sha256").hex()
    if personal["commitment"] != f"hmac-sha256:{mac}":
        raise PersonalInvalid("not what the record commits to")
    found: dict[str, str] = content["fields"]
    return found
