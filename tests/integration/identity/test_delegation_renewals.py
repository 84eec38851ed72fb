"""Delegations as Nova renews them, until whatever they stand on is over."""

from pathlib import Path
from typing import Any

import grpc
import jwt

from chenu.identity.v1.agent_service_pb2 import FireAgentRequest
from chenu.identity.v1.auth_service_pb2 import ChangePasswordRequest, LoginRequest, LogoutRequest
from chenu.identity.v1.token_service_pb2 import (
    RenewDelegationRequest,
)
from services.identity.__main__ import token_keys
from services.identity.key_rotation import rotate_keys
from tests.integration.identity.conftest import (
    PASSWORD,
    Identity,
    Someone,
    Start,
    events,
    later,
    refusal,
)
from tests.integration.identity.delegating import agent_of, claims_of, exchange, renew, signing_key
from tests.support.identity import Person, TokenMint, bearer

DENIED = grpc.StatusCode.PERMISSION_DENIED
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
ENDED = (grpc.StatusCode.FAILED_PRECONDITION, "DELEGATION_ENDED")


async def test_nova_renews_a_delegation_that_has_long_expired(
    identity: Identity, someone: Someone, start: Start, admin: Any
) -> None:
    first = await exchange(identity, someone.token)
    async with start(**later(hours=47)) as much_later:
        again = await renew(much_later, first.delegation_token)
    old, new = claims_of(first.delegation_token), claims_of(again.delegation_token)
    same = ("sub", "identity", "tenant", "actor", "sid", "roles", "delegation", "aud", "act")
    assert {name: new[name] for name in same} == {name: old[name] for name in same}
    assert new["jti"] != old["jti"]
    assert again.deadline == first.deadline
    _, renewed = await events(admin, f"delegation/{new['delegation']}")
    assert renewed["type"] == "chenu.identity.delegation.renewed"
    assert renewed["data"]["actor"]["service"] == "nova"
    assert renewed["data"]["actor"]["person"] == someone.user


async def test_a_token_that_is_itself_past_its_expiry_is_renewed(
    start: Start, someone: Someone, identity: Identity, admin: Any
) -> None:
    first = claims_of((await exchange(identity, someone.token)).delegation_token)
    stale = first | {"iat": first["iat"] - 90_000, "exp": first["exp"] - 90_000}
    token = signing_key(identity).sign(stale, typ="delegation+jwt", ttl=0)
    assert claims_of((await renew(identity, token)).delegation_token)["sub"] == someone.user


async def test_a_renewal_does_not_outlive_the_deadline(
    identity: Identity, someone: Someone, start: Start
) -> None:
    first = await exchange(identity, someone.token)
    async with start(**later(hours=48, minutes=10)) as just_before:
        claims = claims_of((await renew(just_before, first.delegation_token)).delegation_token)
    assert 0 < claims["exp"] - claims["iat"] <= 300


async def test_after_the_deadline_a_delegation_has_ended(
    identity: Identity, someone: Someone, start: Start
) -> None:
    token = (await exchange(identity, someone.token)).delegation_token
    async with start(**later(hours=48, minutes=16)) as too_late:
        await refusal(renew(too_late, token), *ENDED)


async def test_logging_out_ends_the_delegations_of_that_session_only(
    identity: Identity, someone: Someone
) -> None:
    login = LoginRequest(email=someone.email, password=PASSWORD)
    elsewhere = Someone(someone.email, await identity.auth.Login(login))
    ours = (await exchange(identity, someone.token)).delegation_token
    theirs = (await exchange(identity, elsewhere.token)).delegation_token
    await identity.auth.Logout(LogoutRequest(), metadata=someone.metadata)
    await refusal(renew(identity, ours), *ENDED)
    assert (await renew(identity, theirs)).delegation_token
    await refusal(exchange(identity, someone.token), UNAUTHENTICATED, "SESSION_INVALID")


async def test_a_password_changed_elsewhere_ends_delegations_too(
    identity: Identity, someone: Someone
) -> None:
    token = (await exchange(identity, someone.token)).delegation_token
    login = LoginRequest(email=someone.email, password=PASSWORD)
    elsewhere = Someone(someone.email, await identity.auth.Login(login))
    change = ChangePasswordRequest(current_password=PASSWORD, new_password="another horse 2")
    await identity.auth.ChangePassword(change, metadata=elsewhere.metadata)
    await refusal(renew(identity, token), *ENDED)


async def test_a_fired_agents_delegations_are_over_and_it_gets_no_new_ones(
    identity: Identity, someone: Someone
) -> None:
    agent, token = await agent_of(identity, someone)
    delegation = (await exchange(identity, token)).delegation_token
    assert (await renew(identity, delegation)).delegation_token
    await identity.agents.FireAgent(FireAgentRequest(agent_id=agent), metadata=someone.metadata)
    await refusal(renew(identity, delegation), *ENDED)
    await refusal(exchange(identity, token), UNAUTHENTICATED, "SESSION_INVALID")


async def test_an_agents_delegation_outlives_its_persons_session(
    identity: Identity, someone: Someone
) -> None:
    _, token = await agent_of(identity, someone)
    delegation = (await exchange(identity, token)).delegation_token
    await identity.auth.Logout(LogoutRequest(), metadata=someone.metadata)
    assert (await renew(identity, delegation)).delegation_token


async def test_a_deactivated_person_delegates_nothing(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    _, agent = await agent_of(identity, someone)
    tokens = [(await exchange(identity, t)).delegation_token for t in (someone.token, agent)]
    await admin.execute(
        "UPDATE identity.users SET deactivate_time = now() WHERE user_id = $1", someone.user
    )
    for token in tokens:
        await refusal(renew(identity, token), *ENDED)
    for token in (someone.token, agent):
        await refusal(exchange(identity, token), UNAUTHENTICATED, "SESSION_INVALID")


async def test_a_renewal_gives_the_roles_of_today(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    token = (await exchange(identity, someone.token)).delegation_token
    await admin.execute("UPDATE identity.users SET roles = '{}' WHERE user_id = $1", someone.user)
    assert claims_of((await renew(identity, token)).delegation_token)["roles"] == []


async def test_nobody_but_nova_renews(identity: Identity, someone: Someone) -> None:
    token = (await exchange(identity, someone.token)).delegation_token
    await refusal(renew(identity, token, service="threads"), DENIED, "CALLER_NOT_ALLOWED")
    request = RenewDelegationRequest(delegation_token=token)
    for metadata, code, reason in (
        ((), UNAUTHENTICATED, "TOKEN_INVALID"),
        (someone.metadata, DENIED, "CALLER_NOT_ALLOWED"),
        (bearer(token), DENIED, "CALLER_NOT_ALLOWED"),
    ):
        await refusal(identity.tokens.RenewDelegation(request, metadata=metadata), code, reason)


async def test_forged_and_confused_tokens_are_not_renewed(
    identity: Identity, someone: Someone
) -> None:
    real = (await exchange(identity, someone.token)).delegation_token
    claims = claims_of(real)
    person = Person(someone.user, someone.tenant, someone.identity, claims["sid"])
    head, body, signature = real.split(".")
    stranger = await identity.register()
    other = (await exchange(identity, stranger.token)).delegation_token.split(".")
    for token in (
        TokenMint().delegation(person, delegation=claims["delegation"]),
        f"{head}.{body}.",
        f"{head}.{other[1]}.{signature}",
        jwt.encode(claims, "secret" * 8, algorithm="HS256", headers={"typ": "delegation+jwt"}),
        jwt.encode(claims, "", algorithm="none"),
        someone.token,
        signing_key(identity).sign(claims, typ="access+jwt", ttl=60),
        signing_key(identity).sign({**claims, "aud": "chenu"}, typ="delegation+jwt", ttl=60),
        signing_key(identity).sign({**claims, "iss": "else"}, typ="delegation+jwt", ttl=60),
        "nonsense",
        "é.ü.ß",
    ):
        await refusal(renew(identity, token), UNAUTHENTICATED, "TOKEN_INVALID")


async def test_a_delegation_signed_by_a_retired_key_is_renewed_until_the_overlap_is_over(
    start: Start, own_keys_dir: Path
) -> None:
    async with start(own_keys_dir) as identity:
        person = await identity.register()
        first = (await exchange(identity, person.token)).delegation_token
        await rotate_keys(
            identity.service.worker, token_keys(identity.service.shared, identity.service.settings)
        )
    async with start(own_keys_dir, **later(hours=48)) as within:
        again = (await renew(within, first)).delegation_token
    old, new = (jwt.get_unverified_header(token)["kid"] for token in (first, again))
    assert old != new
    async with start(own_keys_dir, **later(hours=50)) as beyond:
        await refusal(renew(beyond, first), UNAUTHENTICATED, "TOKEN_INVALID")
