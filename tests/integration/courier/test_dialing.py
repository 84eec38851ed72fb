import asyncio
import ipaddress
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest

from kernel.caller import Caller
from kernel.context import background
from services.courier import lookups
from services.courier.addresses import Address, AddressPolicy, AddressRefused, Cause, Target
from services.courier.dialing import Answered, Dialer, NotSent, Uncertain
from tests.support.receiver import Receiver

PUBLIC = "93.184.216.34"
STRICT = AddressPolicy.parse("", "1-65535")


class NameServer:
    """Answers for every name with what the test says, one answer after the other."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def getaddrinfo(self, host: str, port: int, *_: Any) -> list[Any]:
        self.asked.append(host)
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lookups, "getaddrinfo", self.getaddrinfo)


@contextmanager
def silent_name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No name of silent.example is answered meanwhile."""
    over = threading.Event()

    def getaddrinfo(host: str, port: int, *more: Any) -> list[Any]:
        if host.endswith("silent.example"):
            over.wait(60)
        return NameServer([PUBLIC]).getaddrinfo(host, port)

    monkeypatch.setattr(lookups, "getaddrinfo", getaddrinfo)
    try:
        yield
    finally:
        over.set()


def headers() -> dict[str, str]:
    return {"webhook-id": str(uuid4())}


@pytest.mark.parametrize("host", ["hooks.example", "xn--bcher-kva.example", "xn--a.example"])
async def test_the_address_that_was_judged_is_the_one_that_is_dialled(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    names = NameServer(["127.0.0.1"])
    names.use(monkeypatch)
    dialer = Dialer(AddressPolicy.parse("127.0.0.0/8", ""), 2)
    sent = headers()

    result = await dialer.post(f"http://{host}:{receiver.port}/status/200", b"{}", sent)

    assert result == Answered(200)
    (got,) = receiver.received[sent["webhook-id"]]
    assert got.headers["host"] == f"{host}:{receiver.port}"
    assert names.asked == [host]  # once: there is no second answer to be had


async def test_a_name_that_turns_to_a_private_address_later_is_refused_as_it_is_dialled(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    NameServer([PUBLIC], ["127.0.0.1"]).use(monkeypatch)
    dialer, url = Dialer(STRICT, 2), f"http://rebinding.example:{receiver.port}/status/200"
    await dialer.check(url)
    sent = headers()

    result = await dialer.post(url, b"{}", sent)

    assert result == NotSent("URL_REFUSED_ADDRESS")
    assert sent["webhook-id"] not in receiver.received


@pytest.mark.parametrize("answer", [["127.0.0.1"], [PUBLIC, "10.0.0.1"], ["169.254.169.254"]])
async def test_a_name_with_any_private_address_is_refused(
    monkeypatch: pytest.MonkeyPatch, answer: list[str]
) -> None:
    NameServer(answer).use(monkeypatch)

    with pytest.raises(AddressRefused) as refused:
        await Dialer(STRICT, 2).check("https://internal.example/")

    assert refused.value.cause is Cause.ADDRESS


async def test_a_name_that_nobody_knows_is_refused_at_registration_and_may_be_retried_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    NameServer([]).use(monkeypatch)
    dialer = Dialer(STRICT, 2)

    with pytest.raises(AddressRefused) as refused:
        await dialer.check("https://nowhere.example/")

    assert refused.value.cause is Cause.UNRESOLVABLE
    assert await dialer.post("https://nowhere.example/", b"{}", {}) == NotSent("UNRESOLVABLE")


class Careless(Dialer):
    """A dialer whose resolver judges nothing, as if it had been fooled."""

    async def _resolve(self, target: Target) -> Sequence[Address]:
        return [ipaddress.ip_address("127.0.0.1")]


@pytest.mark.parametrize("host", ["fooled.example", "127.0.0.1"])
async def test_even_then_the_socket_itself_is_not_opened_to_a_private_address(
    receiver: Receiver, host: str
) -> None:
    sent = headers()

    result = await Careless(STRICT, 2).post(
        f"http://{host}:{receiver.port}/status/200", b"{}", sent
    )

    assert isinstance(result, NotSent)
    assert sent["webhook-id"] not in receiver.received


async def test_a_proxy_of_the_environment_is_not_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    dialer = Dialer(AddressPolicy.parse("127.0.0.0/8", ""), 2)

    assert await dialer.post(receiver.url("/status/200"), b"{}", headers()) == Answered(200)


async def test_an_endpoint_that_does_not_speak_tls_gets_nothing(receiver: Receiver) -> None:
    dialer = Dialer(AddressPolicy.parse("127.0.0.0/8", ""), 2)
    before = receiver.requests

    result = await dialer.post(f"https://127.0.0.1:{receiver.port}/status/200", b"{}", {})

    assert isinstance(result, NotSent)
    assert receiver.requests == before


async def test_an_endpoint_that_never_accepts_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with silent_name_server(monkeypatch):
        async with asyncio.timeout(30):
            result = await Dialer(STRICT, 0.2).post("https://silent.example/", b"{}", {})

    assert result == NotSent("CONNECT_TIMEOUT")


async def test_name_servers_that_do_not_answer_hold_up_nobody_elses_lookups(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dialer, theirs = Dialer(STRICT, 2), Caller.system(tenant=str(uuid4()))
    with silent_name_server(monkeypatch):
        with background("test", theirs):
            checks = [
                asyncio.ensure_future(dialer.check(f"https://{n}.silent.example/"))
                for n in range(100)
            ]
        await asyncio.sleep(0)  # they are all asked for by now
        with background("test", Caller.system(tenant=str(uuid4()))):
            assert await dialer.check("https://good.example/")
        for check in checks:
            check.cancel()
        await asyncio.gather(*checks, return_exceptions=True)

    with background("test", theirs):  # the threads have come back
        assert await dialer.check("https://good.example/")


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"\x00\x01 this is no HTTP\r\n\r\n")
    await writer.drain()
    writer.close()


async def test_an_answer_that_is_no_http_leaves_it_uncertain() -> None:
    server = await asyncio.start_server(garbage, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    result = await Dialer(AddressPolicy.parse("127.0.0.0/8", ""), 2).post(
        f"http://127.0.0.1:{port}/", b"{}", headers()
    )

    server.close()
    assert isinstance(result, Uncertain)
