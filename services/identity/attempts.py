"""How often somebody may try: counted in PostgreSQL, for all replicas, across restarts.

An attempt is taken before the password is looked at, so that guesses made at
once count as well, and given back after a success. A success gives back its
own attempt only: nobody buys further guesses with an account of their own.
"""

import hmac
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final, NamedTuple

from kernel.context import CallContext, current
from kernel.database import Transaction
from kernel.statement import Statement
from services.identity import audit_events
from services.identity.errors import TooManyAttempts
from services.identity.settings import IdentitySettings

_GATEWAY: Final = "gateway"
_IPV6_PREFIX: Final = 64

_TAKE: Final = Statement(
    "SELECT wait, is_first_refusal FROM take_attempts(:keys, :limits, :time_window, :clock_offset)"
)
_GIVE_BACK: Final = Statement("SELECT give_back_attempts(:keys)")


class Purse(NamedTuple):
    """The counters that one attempt draws on, and how full each may be."""

    purpose: str
    keys: list[bytes]
    limits: list[int]
    origin: str


class Attempts:
    """Counters under keyed digests: the table knows no e-mail and no address."""

    def __init__(self, settings: IdentitySettings, secret: bytes) -> None:
        self._settings, self._secret = settings, secret

    def for_login(self, email_key: str) -> Purse:
        """By e-mail, so that many addresses help nobody, and by address."""
        return self._purse("login", account=email_key)

    def for_password_change(self, user: str) -> Purse:
        """By person and by address."""
        return self._purse("password", account=user)

    def for_agent(self) -> Purse:
        """By address alone: an agent's secret cannot be guessed, but its agent be locked out."""
        return self._purse("agent")

    def for_registration(self) -> Purse:
        """By address."""
        return self._purse("registration", per_address=self._settings.registrations_per_address)

    async def take(self, tx: Transaction, purse: Purse) -> TooManyAttempts | None:
        """Count one attempt, or give the refusal to raise once `tx` is committed."""
        row = await tx.fetch_one(
            _TAKE,
            keys=purse.keys,
            limits=purse.limits,
            time_window=timedelta(minutes=self._settings.attempts_minutes),
            clock_offset=self._settings.clock_offset,
        )
        if row is None or row["wait"] is None:
            return None
        if row["is_first_refusal"]:
            caller = current().caller
            tx.emit(audit_events.attempts_exhausted(caller, purse.purpose, purse.origin))
        return TooManyAttempts(row["wait"])

    async def give_back(self, tx: Transaction, purse: Purse) -> None:
        """The attempt was none: it succeeded."""
        await tx.execute(_GIVE_BACK, keys=purse.keys)

    def _purse(self, purpose: str, account: str = "", per_address: int = 0) -> Purse:
        address = self._key(purpose, "address", origin_of(current()))
        keys, limits = [address], [per_address or self._settings.attempts_per_address]
        if account:
            keys.append(self._key(purpose, "account", account))
            limits.append(self._settings.attempts_per_account)
        return Purse(purpose, keys, limits, address.hex()[:16])

    def _key(self, *parts: str) -> bytes:
        return hmac.digest(self._secret, "\0".join(parts).encode(), "sha256")


def origin_of(call: CallContext) -> str:
    """The address that counts: the connection's, or what the gateway says if it is the gateway."""
    forwarded = str(call.metadata.get("x-forwarded-for", ""))
    trusted = call.caller.service == _GATEWAY and forwarded
    # The gateway appends the address it saw; what stands before is the client's own word.
    return counted_address(forwarded.rpartition(",")[2] if trusted else call.peer_ip)


def counted_address(address: str) -> str:
    """One word for all the addresses that one host may use: IPv6 hosts have a whole /64."""
    try:
        parsed = ip_address(address.strip())
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ip_network((parsed.packed, _IPV6_PREFIX), strict=False))
    return str(parsed)
