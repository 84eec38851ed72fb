"""Codes that confirm channels: neither sent nor guessed without an end."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo

from chenu.courier.v1 import channel_service_pb2 as rpc
from kernel.errors import detail, reason_of
from services.courier.codes import MOST_BY_A_PERSON, MOST_TO_AN_ADDRESS, MOST_WRONG
from tests.support.channels import (
    DELIVERED,
    a_channel,
    channels_of,
    code_in,
    confirmed,
    log_of,
)
from tests.support.courier import CourierClient
from tests.support.identity import Metadata, Person
from tests.support.mailbox import Mailbox
from tests.support.refusals import refused
from tests.support.waiting import soon

INVALID = grpc.StatusCode.INVALID_ARGUMENT
FAILED_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


async def sent_again(client: CourierClient, person: Person) -> None:
    """Have the code of the person's one channel sent once more, once it has arrived."""

    async def arrived() -> str:
        (one,) = await log_of(client, person)
        return one.notification_id if one.state == DELIVERED else ""

    request = rpc.ReplayNotificationRequest(
        notification_id=await soon(arrived, "the code was sent")
    )
    metadata = client.identity.as_human(person)
    await client.channels.ReplayNotification(request, metadata=metadata)


async def test_after_five_wrong_codes_the_right_one_is_worth_nothing_and_the_next_is_another(
    client: CourierClient, person: Person, mailbox: Mailbox
) -> None:
    email = f"{person.person}@example.org"
    made = await a_channel(client, person, email=email)
    (mail,) = await mailbox.wait_for(email)
    code = code_in(mail.get_content())

    left = []
    for _ in range(MOST_WRONG):
        with pytest.raises(grpc.aio.AioRpcError) as wrong:
            await confirmed(client, person, made, "0" * 10)
        assert reason_of(wrong.value) == "CONFIRMATION_INVALID"
        told = detail(wrong.value, ErrorInfo)
        left.append(told.metadata["left"] if told else "")
    assert left == ["4", "3", "2", "1", "0"]
    await refused(
        confirmed(client, person, made, code), FAILED_PRECONDITION, "CONFIRMATION_USED_UP"
    )

    await sent_again(client, person)
    (_, second) = await mailbox.wait_for(email, 2)
    assert code_in(second.get_content()) != code
    await refused(confirmed(client, person, made, code), INVALID, "CONFIRMATION_INVALID")
    assert (await confirmed(client, person, made, code_in(second.get_content()))).confirmed


async def test_guesses_that_come_together_are_counted_one_by_one(
    client: CourierClient, person: Person
) -> None:
    made = await a_channel(client, person, email=f"{person.person}@example.org")

    guesses: list[Any] = await asyncio.gather(
        *(confirmed(client, person, made, f"{number:010}") for number in range(20)),
        return_exceptions=True,
    )

    reasons = sorted(reason_of(guess) for guess in guesses)
    invalid, used_up = ["CONFIRMATION_INVALID"] * MOST_WRONG, ["CONFIRMATION_USED_UP"] * 15
    assert reasons == invalid + used_up


async def test_no_more_codes_are_sent_to_an_address_in_an_hour_whoever_asks(
    client: CourierClient, person: Person, superuser: asyncpg.Connection
) -> None:
    email = f"{person.person}@example.org"
    for number in range(MOST_TO_AN_ADDRESS):
        await a_channel(client, Person(), email=email.upper() if number % 2 else email)

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await a_channel(client, person, email=email)
    assert (error.value.code(), reason_of(error.value)) == (EXHAUSTED, "TOO_MANY_CODES")
    retry = detail(error.value, RetryInfo)
    assert retry
    assert 0 < retry.retry_delay.seconds <= 3600
    assert await channels_of(client, person) == []

    await superuser.execute(
        "UPDATE courier.sent_codes SET create_time = create_time - interval '1 hour'"
    )
    await a_channel(client, person, email=email)


async def test_codes_that_are_sent_again_count_too(
    client: CourierClient, person: Person, mailbox: Mailbox
) -> None:
    email = f"{person.person}@example.org"
    await a_channel(client, person, email=email)
    for _ in range(MOST_TO_AN_ADDRESS - 1):
        await sent_again(client, person)
    await refused(sent_again(client, person), EXHAUSTED, "TOO_MANY_CODES")
    assert len(await mailbox.wait_for(email, MOST_TO_AN_ADDRESS)) == MOST_TO_AN_ADDRESS


async def test_nobody_sends_more_codes_by_removing_channels_or_as_another_identity(
    client: CourierClient, person: Person, as_human: Metadata
) -> None:
    for number in range(MOST_BY_A_PERSON):
        made = await a_channel(client, person, email=f"{number}@{person.person}.example.org")
        request = rpc.DeleteChannelRequest(channel_id=made.channel.channel_id)
        await client.channels.DeleteChannel(request, metadata=as_human)

    for one in (person, replace(person, identity=str(uuid4()))):
        call = a_channel(client, one, email=f"next@{person.person}.example.org")
        await refused(call, EXHAUSTED, "TOO_MANY_CODES")


async def test_what_was_counted_names_nobody(
    client: CourierClient, person: Person, superuser: asyncpg.Connection
) -> None:
    await a_channel(client, person, email=f"{person.person}@example.org")
    rows = await superuser.fetch("SELECT c::text AS row FROM courier.sent_codes AS c")
    text = " ".join(row["row"] for row in rows)
    for plain in (person.person, person.identity):
        assert plain.encode().hex() not in text
        assert plain not in text
