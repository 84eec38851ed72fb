"""Registering: a tenant, its founder, a default identity, a session."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import grpc
import jwt
import pytest

from chenu.identity.v1.auth_service_pb2 import GetMeRequest, RegisterRequest
from chenu.identity.v1.identity_pb2 import IdentityType
from tests.integration.identity.conftest import PASSWORD, Identity, Someone, events, refusal


async def test_a_registered_person_is_logged_in_as_the_founder_of_a_tenant(
    identity: Identity, someone: Someone
) -> None:
    claims = jwt.decode(someone.token, options={"verify_signature": False})
    assert claims["sub"] == someone.user
    assert claims["tenant"] == someone.tenant
    assert claims["identity"] == someone.identity
    assert claims["actor"] == "human"
    assert claims["roles"] == ["owner", "auditor"]
    assert claims["aud"] == "chenu"
    assert claims["exp"] - claims["iat"] == 1800
    assert someone.login.token_type == "Bearer"
    assert someone.login.session.identity.type == IdentityType.IDENTITY_TYPE_PERSONAL
    assert someone.login.session.identity.is_default


async def test_the_access_token_shows_the_person_their_own_account(
    identity: Identity, someone: Someone
) -> None:
    me = await identity.auth.GetMe(GetMeRequest(), metadata=someone.metadata)
    assert (me.user.email, me.user.display_name) == (someone.email, "Ada")
    assert me.identity == someone.login.session.identity


async def test_registering_leaves_its_events_and_no_e_mail_in_any_of_them(
    identity: Identity, admin: Any
) -> None:
    person = await identity.register(display_name="Zebedee Quux")
    seen = [
        *await events(admin, f"tenant/{person.tenant}"),
        *await events(admin, f"user/{person.user}"),
        *await events(admin, f"identity/{person.identity}"),
    ]
    assert [event["type"] for event in seen] == [
        "chenu.identity.tenant.created",
        "chenu.identity.user.registered",
        "chenu.identity.identity.created",
    ]
    assert {event["tenant"] for event in seen} == {person.tenant}
    everything = b"".join(r["event"] for r in await admin.fetch("TABLE identity.outbox"))
    assert person.email.encode() not in everything
    assert b"Zebedee" not in everything


@pytest.mark.parametrize("change", [str.upper, str.title])
async def test_an_e_mail_is_taken_in_every_spelling(
    identity: Identity, someone: Someone, change: Callable[[str], str]
) -> None:
    again = identity.register(email=change(someone.email))
    await refusal(again, grpc.StatusCode.ALREADY_EXISTS, "EMAIL_TAKEN")


async def test_a_taken_e_mail_leaves_nothing_behind(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    before = await admin.fetchval("SELECT count(*) FROM identity.users")
    await refusal(
        identity.register(email=someone.email), grpc.StatusCode.ALREADY_EXISTS, "EMAIL_TAKEN"
    )
    assert await admin.fetchval("SELECT count(*) FROM identity.users") == before


@pytest.mark.parametrize("password", ["onlyletters", "1234567890", "!!!!!!!!!!"])
async def test_a_password_without_a_letter_and_a_digit_is_too_weak(
    identity: Identity, password: str
) -> None:
    call = identity.register(password=password)
    await refusal(call, grpc.StatusCode.INVALID_ARGUMENT, "PASSWORD_TOO_WEAK")


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "short1"},
        {"email": "not an address"},
        {"email": "two words@example.org"},
        {"display_name": ""},
        {"display_name": "x" * 256},
    ],
)
async def test_a_request_that_breaks_its_contract_names_the_field(
    identity: Identity, wrong: dict[str, str]
) -> None:
    error = await refusal(
        identity.register(**wrong), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"
    )
    assert next(iter(wrong)) in (error.details() or "")


async def test_a_name_that_no_table_can_hold_is_the_clients_fault(identity: Identity) -> None:
    request = RegisterRequest(
        email=f"{uuid4()}@example.org", password=PASSWORD, display_name="nul\0"
    )
    await refusal(
        identity.auth.Register(request), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"
    )


@pytest.mark.parametrize("name", ["'; DROP TABLE identity.users; --", "<script>", "\u202eevil"])
async def test_a_hostile_name_is_kept_as_it_is_and_does_nothing(
    identity: Identity, name: str
) -> None:
    person = await identity.register(display_name=name)
    me = await identity.auth.GetMe(GetMeRequest(), metadata=person.metadata)
    assert me.user.display_name == name


async def test_only_an_argon2id_hash_of_the_password_is_kept(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    stored = await admin.fetchval(
        "SELECT password_hash FROM identity.credentials WHERE user_id = $1", someone.user
    )
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored
