"""What audit records say of a person is sealed under that person's key, which can be destroyed.

The record holds a commitment to it (HMAC under a key of its own, which is sealed
with it) and the sealed bytes. Without the person's key neither tells anything;
the log, its proofs and every copy of it stay as they are.
"""

import hmac
import json
import os
from base64 import b64encode
from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kernel.caller import Caller
from kernel.context import current
from kernel.database import Database, Transaction
from kernel.errors import Forbidden
from kernel.statement import Statement
from services.identity import audit_events
from services.identity.audit_events import Personal
from services.identity.errors import LastOwner

_NONCE: Final = 12
_GET: Final = Statement("SELECT wrapped_key FROM subject_keys WHERE person_id = :person")
_MAKE: Final = Statement(
    "INSERT INTO subject_keys (person_id, tenant_id, wrapped_key) VALUES (:person, :tenant, :key)"
    " ON CONFLICT DO NOTHING"
)
_FIND: Final = Statement("SELECT wrapped_key FROM find_subject_key(:tenant, :person)")
_DESTROY: Final = Statement("SELECT destroy_subject_key(:tenant, :person) AS destroyed")
_NEEDED: Final = Statement("SELECT is_needed(:tenant, :person) AS needed")
_IDENTITIES: Final = Statement("SELECT identity_id FROM list_identities(:tenant, :person)")


class SubjectKeys:
    """The keys, wrapped under one that is in no database; so a backup alone opens nothing."""

    def __init__(self, database: Database, wrapping_key: bytes) -> None:
        self._database, self._wrap = database, AESGCM(wrapping_key)

    async def seal(
        self, tx: Transaction, caller: Caller, fields: Mapping[str, str]
    ) -> Personal | None:
        """The caller's `AuditPersonal` of a record; None where the caller's key was destroyed."""
        key = await self._key_of(tx, caller)
        if key is None:
            return None
        record_key = os.urandom(32)
        commitment = hmac.digest(record_key, _canonical(fields), "sha256").hex()
        content = {"fields": dict(fields), "key": record_key.hex()}
        nonce = os.urandom(_NONCE)
        sealed = nonce + AESGCM(key).encrypt(nonce, _canonical(content), caller.person.encode())
        return {
            "commitment": f"hmac-sha256:{commitment}",
            "sealed": b64encode(sealed).decode(),
            "subject": caller.person,
        }

    async def get(self, tenant: str, person: str) -> bytes | None:
        """A person's key, for audit; None where it was destroyed, Forbidden where none was made."""
        async with self._database.transaction(current().caller) as tx:
            row = await tx.fetch_one(_FIND, tenant=tenant, person=person)
            if row is None:
                raise Forbidden
            wrapped = row["wrapped_key"]
            tx.emit(audit_events.subject_key_read(tenant, person, wrapped is not None))
        return None if wrapped is None else self._unwrap(person, wrapped)

    async def destroy(self, tenant: str, person: str) -> tuple[bool, list[str]]:
        """Destroy a person's key; whether there still was one, and the person's identities.

        Forbidden where none was made, LastOwner where the tenant's others need this person.
        """
        whom = {"tenant": tenant, "person": person}
        async with self._database.transaction(current().caller) as tx:
            if await tx.fetch_one(_FIND, **whom) is None:
                raise Forbidden
            needed = await tx.fetch_one(_NEEDED, **whom)
            if needed and needed["needed"]:
                raise LastOwner(subject=f"user/{person}")
            row = await tx.fetch_one(_DESTROY, **whom)
            destroyed = bool(row and row["destroyed"])
            tx.emit(audit_events.subject_key_destroyed(tenant, person, destroyed))
            identities = await tx.fetch(_IDENTITIES, **whom)
        return destroyed, [found["identity_id"] for found in identities]

    async def _key_of(self, tx: Transaction, caller: Caller) -> bytes | None:
        row = await tx.fetch_one(_GET, person=caller.person)
        if row is None:
            nonce, key = os.urandom(_NONCE), os.urandom(32)
            made = nonce + self._wrap.encrypt(nonce, key, caller.person.encode())
            await tx.execute(_MAKE, key=made, person=caller.person, tenant=caller.tenant)
            row = await tx.fetch_one(_GET, person=caller.person)
        wrapped = row["wrapped_key"] if row else None
        return None if wrapped is None else self._unwrap(caller.person, wrapped)

    def _unwrap(self, person: str, wrapped: bytes) -> bytes:
        return self._wrap.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], person.encode())


def _canonical(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
