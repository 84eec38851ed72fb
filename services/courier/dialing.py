"""One HTTP POST to an address that was judged just before it is dialled, and to no other."""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from services.courier.addresses import (
    Address,
    AddressPolicy,
    AddressRefused,
    Cause,
    Target,
    parse_url,
)
from services.courier.lookups import Lookups

MAX_ANSWER_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Answered:
    """The endpoint answered; what it says beyond the status is not listened to."""

    status: int
    retry_after: int = 0
    """Seconds, where it gave a number of them."""
    body: bytes = b""
    """Where it was asked for, and not longer than that."""


@dataclass(frozen=True, slots=True)
class NotSent:
    """Not a byte of the request was written."""

    reason: str


@dataclass(frozen=True, slots=True)
class Uncertain:
    """It may have been written, and no answer came."""

    reason: str


Result = Answered | NotSent | Uncertain


class Dialer:
    """Calls what its policy allows; redirects, proxies, cookies and compression are not used."""

    def __init__(self, policy: AddressPolicy, timeout_seconds: float) -> None:
        self._policy, self._timeout = policy, timeout_seconds
        self._lookups = Lookups()

    async def check(self, url: str) -> Target:
        """The URL as it will be called; AddressRefused where it may not, as far as is known now."""
        target = parse_url(url)
        await self._resolve(target)
        return target

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, answer_bytes: int = 0
    ) -> Result:
        """Send the body once, and say what is known of it afterwards.

        The answer's body is kept where `answer_bytes` says how much of it at most.
        """
        connection = _Connection()
        try:
            async with asyncio.timeout(self._timeout):
                target = parse_url(url)
                addresses = await self._resolve(target)
                async with (
                    self._session(target, addresses, connection) as session,
                    session.post(
                        _exactly(target), data=body, headers=headers, allow_redirects=False
                    ) as response,
                ):
                    answer = b""
                    with suppress(aiohttp.ClientError, TimeoutError):
                        answer = await _beginning(response, answer_bytes)
                    wait = _seconds(response.headers.get("retry-after", ""))
                    return Answered(response.status, wait, answer)
        except AddressRefused as refused:
            return NotSent(refused.reason)
        except TimeoutError:
            return Uncertain("TIMEOUT") if connection.made else NotSent("CONNECT_TIMEOUT")
        except (aiohttp.ClientError, OSError) as error:
            if connection.made:
                return Uncertain("CONNECTION_LOST")
            tls = isinstance(error, aiohttp.ClientConnectorSSLError | aiohttp.ClientSSLError)
            return NotSent("TLS_FAILED" if tls else "CONNECT_FAILED")

    async def _resolve(self, target: Target) -> Sequence[Address]:
        """Every address of the host, each allowed; one that is not refuses them all."""
        self._policy.check_target(target)
        if (literal := target.literal) is not None:
            return [literal]
        try:
            addresses = await self._lookups.find(target.host, target.port)
        except (OSError, TimeoutError):
            raise AddressRefused(Cause.UNRESOLVABLE) from None
        for address in addresses:
            self._policy.check_address(target, address)
        return list(dict.fromkeys(addresses))

    def _session(
        self, target: Target, addresses: Sequence[Address], connection: "_Connection"
    ) -> aiohttp.ClientSession:
        def checked_socket(dialled: Any) -> socket.socket:
            # The last word, whatever stands between the resolver and here.
            self._policy.check_address(target, ip_address(dialled[4][0]))
            return socket.socket(dialled[0], dialled[1], dialled[2])

        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=_Pinned(addresses),
                use_dns_cache=False,
                force_close=True,
                socket_factory=checked_socket,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[connection.trace()],
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            auto_decompress=False,
        )


class _Connection:
    """Whether a connection came about: from then on something may have been written."""

    def __init__(self) -> None:
        self.made = False

    def trace(self) -> aiohttp.TraceConfig:
        config = aiohttp.TraceConfig()
        config.on_connection_create_end.append(self._note)
        return config

    async def _note(self, *_: object) -> None:
        self.made = True


class _Pinned(AbstractResolver):
    """Answers with the addresses that were judged, whatever the name servers say meanwhile."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = addresses

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - as aiohttp calls it
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


def _exactly(target: Target) -> URL:
    """The URL for the client, which must read it as we did."""
    url = URL(target.url, encoded=True)
    if (url.scheme, url.raw_host, url.port) != (target.scheme, target.host, target.port):
        raise AddressRefused(Cause.FORM)
    return url


async def _beginning(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body, as far as it is wanted; of any other a little is read, so that it ends well."""
    if not limit:
        await response.content.read(MAX_ANSWER_BYTES)
        return b""
    body = bytearray()
    async for piece in response.content.iter_chunked(MAX_ANSWER_BYTES):
        body += piece[: limit - len(body)]
        if len(body) == limit:
            break
    return bytes(body)


def _seconds(retry_after: str) -> int:
    """The header as a number; dates are left to the schedule."""
    digits = retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 10
    return int(retry_after) if digits else 0
