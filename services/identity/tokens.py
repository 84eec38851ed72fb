"""The claims of each kind of token; what they mean stands in the kernel's authentication."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from kernel.caller import SYSTEM_TENANT, Caller
from kernel.context import new_id
from kernel.errors import Unauthenticated
from kernel.tokens import decode, unverified_header
from services.identity.settings import IdentitySettings
from services.identity.token_keys import TokenKeys

_LIMITS: Final = ("scopes", "always_gated")


class Issued(NamedTuple):
    """A signed token, its jti and when it ends."""

    token: str
    token_id: str
    expire_time: datetime


class Tokens:
    """Signs tokens for callers; whoever calls it has decided that they may have one."""

    def __init__(self, keys: TokenKeys, settings: IdentitySettings) -> None:
        self._keys, self._settings = keys, settings

    def access(self, caller: Caller) -> Issued:
        """For everyday calls of a person or an agent."""
        claims = _who(caller) | {"aud": "chenu"}
        return self._sign("access+jwt", claims, self._settings.access_seconds)

    def delegation(self, caller: Caller, delegation_id: str, remaining: timedelta) -> Issued:
        """For Nova, acting for the caller; it does not outlive the deadline."""
        seconds = min(self._settings.delegation_seconds, int(remaining.total_seconds()))
        act = {"aud": "nova", "act": {"service": "nova"}, "delegation": delegation_id}
        return self._sign("delegation+jwt", _who(caller) | act, seconds)

    def vote(
        self, caller: Caller, checkpoint: str, view_digest: str, amr: list[str], *, batch: str = "",
        ballot: str = "",
    ) -> Issued:  # fmt: skip
        """For one vote of a person on one view of one checkpoint, or on each view of a batch.

        That of a ballot has the ballot's id: governance counts an id once.
        """
        claims = _who(caller) | {
            "aud": "governance", "checkpoint": checkpoint, "view_digest": view_digest, "amr": amr,
        }  # fmt: skip
        claims |= {"batch": batch} if batch else {}
        return self._sign("vote+jwt", claims, self._settings.vote_seconds, ballot)

    def channel_grant(self, caller: Caller, grant: str, channel: str, life: timedelta) -> Issued:
        """For courier, to have ballots issued for one channel of the person's."""
        claims = _who(caller) | {"aud": "identity", "grant": grant, "channel": channel}
        return self._sign("channel-grant+jwt", claims, int(life.total_seconds()))

    def ballot(self, caller: Caller, grant: str, bound: dict[str, str], seconds: int) -> Issued:
        """For a person to bring back: one vote on the checkpoint and view that it is bound to."""
        return self._sign(
            "ballot+jwt", _who(caller) | {"aud": "identity", "grant": grant} | bound, seconds
        )

    def ticket(self, caller: Caller, path: str) -> Issued:
        """For one stream of events, through the gateway."""
        claims = _who(caller) | {"aud": "gateway", "path": path}
        return self._sign("ticket+jwt", claims, self._settings.ticket_seconds)

    def service(self, name: str) -> Issued:
        """For a service, as itself."""
        claims = {"sub": name, "actor": "service", "tenant": SYSTEM_TENANT, "aud": "chenu"}
        return self._sign("service+jwt", claims, self._settings.service_token_seconds)

    def read(
        self, token: str, typ: str, audience: str, *, expired_too: bool = False
    ) -> dict[str, Any]:
        """The claims of a token that was signed here; keys of long ago are still published."""
        header = unverified_header(token)
        key = self._keys.published().get(header["kid"])
        if header["typ"] != typ or key is None:
            raise Unauthenticated("the token is not one of ours")
        return dict(decode(token, key, audience, expired_too=expired_too))

    def _sign(self, typ: str, claims: dict[str, Any], seconds: int, token_id: str = "") -> Issued:
        now, token_id = int(time.time()), token_id or new_id()
        claims |= {"iat": now, "exp": now + seconds, "jti": token_id}
        token = self._keys.signing.sign(claims, typ=typ, ttl=seconds)
        return Issued(token, token_id, datetime.fromtimestamp(now + seconds, UTC))


def _who(caller: Caller) -> dict[str, Any]:
    """An agent has no session and no roles: it has only what its person's identity owns."""
    who: dict[str, Any] = {
        "sub": caller.person, "tenant": caller.tenant, "identity": caller.identity,
        "actor": caller.actor, "roles": list(caller.roles),
    }  # fmt: skip
    if not caller.agent:
        return who | {"sid": caller.session}
    # Where it may use everything and is not always gated, the token says nothing of it.
    limits = {name: caller.claims[name] for name in _LIMITS if caller.claims.get(name)}
    return who | {"agent": caller.agent} | limits
