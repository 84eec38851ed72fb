"""Who is calling: verified claims, nothing that the request says of itself.

caller = current().caller
if caller.kind == CallerKind.CALLER_KIND_AGENT: ...
async with database.transaction(caller) as tx: ...
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Self

from chenu.events.v1.method_policy_pb2 import CallerKind

SYSTEM_TENANT: Final = "00000000-0000-0000-0000-000000000000"
UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NO_CLAIMS: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Caller:
    """The person, agent or service behind a call, and the service that passed it on.

    `token` is the raw credential, passed downstream by `Channels`; `claims`
    holds what has no field of its own (checkpoint, view_digest, delegation, exp).
    """

    tenant: str
    person: str
    identity: str
    actor: str
    agent: str = ""
    roles: tuple[str, ...] = ()
    session: str = ""
    service: str = ""
    kind: CallerKind = CallerKind.CALLER_KIND_UNSPECIFIED
    token_id: str = ""
    token: str = field(default="", repr=False)
    claims: Mapping[str, Any] = field(default_factory=lambda: _NO_CLAIMS, repr=False)

    @classmethod
    def system(cls, *, service: str = "", tenant: str = SYSTEM_TENANT, identity: str = "") -> Self:
        """The system itself: background work, or an RPC that takes no token."""
        return cls(tenant=tenant, person="", identity=identity, actor="system", service=service)

    @property
    def principal(self) -> str:
        """Whose request ids and denials these are, whatever the token."""
        return f"{self.person or self.service or 'anonymous'}/{self.agent}"
