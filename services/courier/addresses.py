"""Which addresses may be called. Rules: no I/O.

The guard against server-side request forgery: an endpoint is named by whoever registers it, and
what it resolves to by whoever runs its name servers. So a URL has one reading only, and every
address is judged twice, at registration and again as it is dialled.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final, Self
from urllib.parse import SplitResult, urlsplit

Address = IPv4Address | IPv6Address
MAX_URL: Final = 2000
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_BRACKETED: Final = re.compile(r"\[([^]]*)\](:[0-9]+)?")
_ADDRESS: Final = re.compile(r"[0-9A-Fa-f:.]+")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
# The registries of IANA, written out: the standard library's answer depends on its version.
_UNICAST_V6: Final = IPv6Network("2000::/3")
_SPECIAL: Final = tuple(
    ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        # Teredo, ORCHID and their like; documentation; 6to4, which carries an IPv4 address
        *("2001::/23", "2001:db8::/32", "3fff::/20", "2002::/16"),
    )
)


class Cause(StrEnum):
    """Why a URL is refused."""

    SCHEME = "SCHEME"
    USERINFO = "USERINFO"
    FORM = "FORM"
    HOST = "HOST"
    PORT = "PORT"
    ADDRESS = "ADDRESS"
    UNRESOLVABLE = "UNRESOLVABLE"


class AddressRefused(OSError):
    """Not to be called. An OSError, so that whoever dials passes it on."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.value)
        self.cause = cause

    @property
    def reason(self) -> str:
        """As a delivery's reason; that a name does not resolve may pass."""
        passing = self.cause is Cause.UNRESOLVABLE
        return self.cause.value if passing else f"URL_REFUSED_{self.cause}"


@dataclass(frozen=True, slots=True)
class Target:
    """A URL in the one reading that everybody here goes by."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def literal(self) -> Address | None:
        """The host as an address, where it is one."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None

    @property
    def authority(self) -> str:
        """Host and port as in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = _DEFAULT_PORTS[self.scheme] == self.port
        return host if default else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL that is called."""
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_url(url: str) -> Target:
    """The URL, read strictly: what parsers could read differently is refused."""
    if len(url) > MAX_URL or not url.isascii() or re.search(r"[\x00-\x20\x7f\\]", url):
        raise AddressRefused(Cause.FORM)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressRefused(Cause.FORM) from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise AddressRefused(Cause.SCHEME)
    if "@" in parts.netloc:
        raise AddressRefused(Cause.USERINFO)
    if port == 0 or parts.netloc.endswith(":"):
        raise AddressRefused(Cause.PORT)
    host = _host(parts)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if parts.fragment or not re.fullmatch(r"(?:[!$&-;=?-Z_a-z~/]|%[0-9A-Fa-f]{2})*", path):
        raise AddressRefused(Cause.FORM)
    return Target(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme], path)


def _host(parts: SplitResult) -> str:
    """The host in lower case: a name, or an address in its one canonical form."""
    host = (parts.hostname or "").lower()
    try:
        if "[" in parts.netloc:
            bracketed = _BRACKETED.fullmatch(parts.netloc)
            if not bracketed:  # newer versions of Python refuse to split it
                raise AddressRefused(Cause.FORM)
            if not _ADDRESS.fullmatch(bracketed[1]):
                raise AddressRefused(Cause.HOST)
            return str(IPv6Address(host))
        host = host.removesuffix(".")
        labels = host.split(".")
        # 127.1, 2130706433, 0x7f.0.0.1, 0177.0.0.1: numbers that some resolver takes for an address
        if _NUMBER.fullmatch(labels[-1]):
            return str(IPv4Address(host))
    except ValueError:
        raise AddressRefused(Cause.HOST) from None
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused(Cause.HOST)
    return host


def is_public(address: Address) -> bool:
    """Whether it is an ordinary address of the public network, and stands for no other."""
    if isinstance(address, IPv6Address) and address not in _UNICAST_V6:
        return False  # mapped, translated, local, multicast: all of them lie outside
    return address.is_global and not any(address in network for network in _SPECIAL)


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What may be called: the public network at certain ports, and what a setting names."""

    hosts: frozenset[tuple[str, int]]
    networks: tuple[IPv4Network | IPv6Network, ...]
    ports: tuple[range, ...]

    @classmethod
    def parse(cls, allowed_private: str, allowed_ports: str) -> Self:
        """From the settings; ValueError names what cannot be read."""
        hosts, networks = set(), []
        for entry in _entries(allowed_private):
            host, colon, port = entry.rpartition(":")
            if "/" in entry:
                networks.append(ip_network(entry))
            elif colon and port.isdigit():
                hosts.add((host.strip("[]").lower(), int(port)))
            else:
                raise ValueError(f"{entry!r} is neither host:port nor a network")
        return cls(frozenset(hosts), tuple(networks), tuple(_ports(allowed_ports)))

    def check_target(self, target: Target) -> None:
        """Raise AddressRefused where the URL alone shows that it may not be called."""
        if (target.host, target.port) in self.hosts:
            return
        literal = target.literal
        if literal is not None:
            self.check_address(target, literal)
        elif not self.networks and not self._port_allowed(target.port):
            raise AddressRefused(Cause.PORT)

    def check_address(self, target: Target, address: Address) -> None:
        """Raise AddressRefused unless this address may be dialled for this URL."""
        if (target.host, target.port) in self.hosts or any(
            address in network for network in self.networks
        ):
            return
        if not is_public(address):
            raise AddressRefused(Cause.ADDRESS)
        if not self._port_allowed(target.port):
            raise AddressRefused(Cause.PORT)

    def _port_allowed(self, port: int) -> bool:
        return any(port in allowed for allowed in self.ports)


def _entries(setting: str) -> list[str]:
    return [entry.strip() for entry in setting.split(",") if entry.strip()]


def _ports(setting: str) -> Iterable[range]:
    for entry in _entries(setting):
        first, _, last = entry.partition("-")
        yield range(int(first), int(last or first) + 1)
