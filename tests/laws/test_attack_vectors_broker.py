"""Who has one service's credentials for NATS says and hears there what that service does."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client as Broker

from deploy.local.backends import Backends
from deploy.local.ports import DEFAULT_PORTS
from deploy.nats.users import WAKES, WOKEN
from kernel.messaging import nats_password
from kernel.tokens import SigningKey
from services.courier import intake
from services.governance.holds import freezes
from services.governance.policy import rule_book
from services.governance.review import transitions
from services.nova import resolutions
from tests.support.waiting import PATIENCE, soon

SUBJECTS = {subject for subjects in WAKES.values() for subject in subjects}
NOBODY_SAYS = (
    "$JS.API.STREAM.DELETE.AUDIT", "$JS.API.STREAM.UPDATE.AUDIT", "$JS.API.STREAM.PURGE.AUDIT",
    "$JS.API.STREAM.MSG.GET.AUDIT", "$JS.API.STREAM.MSG.DELETE.AUDIT",
    "$JS.API.STREAM.CREATE.OTHER", "$JS.API.CONSUMER.DELETE.AUDIT.audit",
    "$JS.API.CONSUMER.CREATE.AUDIT.other", "$JS.API.DIRECT.GET.AUDIT", "$SYS.REQ.SERVER.PING",
)  # fmt: skip
AUDIT_SAYS = ("$JS.ACK.AUDIT.audit.1.1.1.1.1", "$JS.API.CONSUMER.MSG.NEXT.AUDIT.audit")
NOBODY_HEARS = (">", "audit.>", "wake.>", "$JS.>", "$SYS.>", "_INBOX.>", "_INBOX.*.*")
As = Callable[[str, list[str]], Any]


@pytest.fixture
def connected_as(fleet_backends: Backends, fleet_environment: Mapping[str, str]) -> As:
    """A connection with what a service's key gives; what it was refused goes to the list."""

    @asynccontextmanager
    async def connected_as(service: str, refused: list[str]) -> AsyncIterator[Broker]:
        async def note(error: Exception) -> None:
            refused.append(str(error).partition("permissions violation for ")[2])

        key = SigningKey.load(Path(fleet_environment["CHENU_KEYS_DIR"]) / f"{service}.pem")
        client = await nats.connect(
            fleet_backends.nats.address,
            user=service,
            password=nats_password(key),
            inbox_prefix=f"_INBOX.{service}",
            error_cb=note,
        )
        try:
            yield client
        finally:
            await client.close()

    return connected_as


async def all_refused(refused: list[str], what: str, subjects: Iterable[str]) -> None:
    """Once NATS has said so of each."""
    told = {f'{what} to "{subject.lower()}"' for subject in subjects}

    async def said() -> bool:
        return {*refused} == told

    await soon(said, f"each {what} is refused")


@pytest.mark.parametrize("service", DEFAULT_PORTS)
async def test_nothing_is_said_in_anothers_name_and_no_stream_is_touched(
    connected_as: As, service: str
) -> None:
    others = DEFAULT_PORTS.keys() - {service}
    wakes = SUBJECTS - set(WAKES.get(service, ()))
    forbidden = {f"audit.{other}" for other in others} | {f"wake.{subject}" for subject in wakes}
    forbidden |= {f"_INBOX.{other}.x" for other in others} | {*NOBODY_SAYS}
    if service != "audit":
        forbidden |= {*AUDIT_SAYS}
    refused: list[str] = []
    async with connected_as(service, refused) as client:
        for subject in forbidden:
            await client.publish(subject, b"forged")
        await all_refused(refused, "publish", forbidden)


@pytest.mark.parametrize("service", DEFAULT_PORTS)
async def test_what_the_others_are_told_is_not_heard(connected_as: As, service: str) -> None:
    others = DEFAULT_PORTS.keys() - {service}
    forbidden = {f"wake.{subject}" for subject in SUBJECTS - set(WOKEN.get(service, ()))}
    forbidden |= {f"_INBOX.{other}.>" for other in others} | {*NOBODY_HEARS}
    refused: list[str] = []
    async with connected_as(service, refused) as client:
        for subject in forbidden:
            await client.subscribe(subject)
        await all_refused(refused, "subscription", forbidden)


@pytest.mark.parametrize(
    ("speaker", "listener", "subject"),
    [
        (speaker, listener, subject)
        for speaker, listener in product(WAKES, WOKEN)
        for subject in WAKES[speaker]
        if subject in WOKEN[listener]
    ],
)
async def test_a_wake_up_arrives_where_it_is_waited_for(
    connected_as: As, speaker: str, listener: str, subject: str
) -> None:
    async with connected_as(speaker, []) as says, connected_as(listener, []) as hears:
        heard = await hears.subscribe(f"wake.{subject}")
        for _ in range(2):  # a client's first ping overtakes its subscription
            await hears.flush()
        await says.publish(f"wake.{subject}", b"")
        assert (await heard.next_msg(timeout=PATIENCE)).subject == f"wake.{subject}"


def test_every_wake_up_of_the_code_is_one_that_nats_lets_through() -> None:
    assert {
        transitions.WAKE_SUBJECT, transitions.NOTICES_SUBJECT, rule_book.WAKE_SUBJECT,
        freezes.WAKE_SUBJECT,
    } == SUBJECTS  # fmt: skip
    assert resolutions.SUBJECT in WOKEN["nova"]
    assert intake.NOTICES_SUBJECT in WOKEN["courier"]
