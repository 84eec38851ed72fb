"""Logging in and out, and changing the password."""

import asyncio
import time
from typing import Any
from uuid import uuid4

import grpc
import jwt
import pytest

from chenu.identity.v1.auth_service_pb2 import (
    ChangePasswordRequest,
    GetMeRequest,
    LoginRequest,
    LogoutRequest,
    RefreshSessionRequest,
    SwitchIdentityRequest,
)
from chenu.identity.v1.identity_pb2 import IdentityType
from chenu.identity.v1.identity_service_pb2 import CreateIdentityRequest
from kernel.errors import DETAILS_KEY
from services.identity.passwords import Passwords
from tests.integration.identity.conftest import (
    PASSWORD,
    Identity,
    Someone,
    Start,
    events,
    refusal,
)
from tests.support.identity import bearer

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


async def log_in(identity: Identity, email: str, password: str = PASSWORD) -> Someone:
    request = LoginRequest(email=email, password=password)
    return Someone(email, await identity.auth.Login(request))


async def test_a_person_logs_in_again_into_a_session_of_its_own(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    again = await log_in(identity, someone.email)
    assert again.user == someone.user
    assert again.login.session_secret != someone.login.session_secret
    claims = jwt.decode(again.token, options={"verify_signature": False})
    (started,) = await events(admin, f"session/{claims['sid']}")
    assert started["type"] == "chenu.identity.session.started"
    assert started["data"]["action"] == "AUDIT_ACTION_LOGIN"


async def test_a_wrong_password_and_an_unknown_e_mail_get_the_same_bytes(
    identity: Identity, someone: Someone
) -> None:
    answers = []
    for email, password in ((someone.email, "wrong horse 1"), (f"{uuid4()}@no.one", PASSWORD)):
        request = LoginRequest(email=email, password=password)
        error = await refusal(identity.auth.Login(request), UNAUTHENTICATED, "WRONG_CREDENTIALS")
        trailers = dict(error.trailing_metadata() or ())
        answers.append((error.details(), trailers[DETAILS_KEY]))
    assert answers[0] == answers[1]


async def test_an_unknown_e_mail_takes_as_long_as_a_wrong_password(start: Start) -> None:
    async with start(argon2_time_cost=4, argon2_memory_kib=32_768) as identity:
        person = await identity.register()
        seconds = {"known": [], "unknown": []}  # type: ignore[var-annotated]
        for _ in range(5):
            for kind, email in (("known", person.email), ("unknown", f"{uuid4()}@no.one")):
                started = time.perf_counter()
                request = LoginRequest(email=email, password="wrong horse 1")
                await refusal(identity.auth.Login(request), UNAUTHENTICATED, "WRONG_CREDENTIALS")
                seconds[kind].append(time.perf_counter() - started)
        # Without a hash to verify it would be twenty times faster.
        assert min(seconds["unknown"]) > min(seconds["known"]) * 0.15


async def test_a_failed_log_in_stands_in_the_log_of_the_person_it_was_tried_on(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    request = LoginRequest(email=someone.email, password="wrong horse 1")
    await refusal(identity.auth.Login(request), UNAUTHENTICATED, "WRONG_CREDENTIALS")
    *_, refused = await events(admin, f"user/{someone.user}")
    assert refused["type"] == "chenu.identity.login.refused"
    assert refused["tenant"] == someone.tenant
    assert refused["data"]["action"] == "AUDIT_ACTION_LOGIN"
    assert refused["data"]["outcome"] == "UNAUTHENTICATED"
    assert refused["data"]["actor"] == {"kind": "system"}


async def test_a_failed_log_in_of_nobody_stands_under_the_system_tenant(
    identity: Identity, admin: Any
) -> None:
    before = len(await events(admin, "user/unknown"))
    request = LoginRequest(email=f"{uuid4()}@no.one", password=PASSWORD)
    await refusal(identity.auth.Login(request), UNAUTHENTICATED, "WRONG_CREDENTIALS")
    after = await events(admin, "user/unknown")
    assert len(after) == before + 1
    assert after[-1]["tenant"] == "00000000-0000-0000-0000-000000000000"
    assert "identity" not in after[-1]


async def test_a_deactivated_person_is_refused_like_an_unknown_one(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    await admin.execute(
        "UPDATE identity.users SET deactivate_time = now() WHERE user_id = $1", someone.user
    )
    await refusal(log_in(identity, someone.email), UNAUTHENTICATED, "WRONG_CREDENTIALS")


async def test_a_log_in_may_start_under_another_identity_of_the_person(
    identity: Identity, someone: Someone
) -> None:
    created = await identity.identities.CreateIdentity(
        CreateIdentityRequest(type=IdentityType.IDENTITY_TYPE_CREATIVE, display_name="Studio"),
        metadata=someone.metadata,
    )
    other = created.identity.identity_id
    request = LoginRequest(email=someone.email, password=PASSWORD, identity_id=other)
    answer = await identity.auth.Login(request)
    assert answer.session.identity.identity_id == other
    claims = jwt.decode(answer.access_token, options={"verify_signature": False})
    assert claims["identity"] == other


async def test_a_log_in_under_somebody_elses_identity_is_refused_like_one_under_none(
    identity: Identity, someone: Someone
) -> None:
    stranger = await identity.register()
    answers = []
    for other in (stranger.identity, str(uuid4())):
        request = LoginRequest(email=someone.email, password=PASSWORD, identity_id=other)
        error = await refusal(
            identity.auth.Login(request), grpc.StatusCode.PERMISSION_DENIED, "FORBIDDEN"
        )
        answers.append((error.details(), dict(error.trailing_metadata() or ())[DETAILS_KEY]))
    assert answers[0] == answers[1]


async def test_sql_in_the_log_in_finds_nobody(identity: Identity, someone: Someone) -> None:
    for email in (f"{someone.email}' OR '1'='1", f"{someone.email}'; --", "x\0y", "%"):
        request = LoginRequest(email=email.ljust(3), password=PASSWORD)
        await refusal(identity.auth.Login(request), UNAUTHENTICATED, "WRONG_CREDENTIALS")


async def test_a_password_stored_with_older_parameters_is_hashed_again_at_log_in(
    identity: Identity, someone: Someone, start: Start, admin: Any
) -> None:
    stored = "SELECT password_hash FROM identity.credentials WHERE user_id = $1"
    before = await admin.fetchval(stored, someone.user)
    async with start(argon2_time_cost=2) as stronger:
        await log_in(stronger, someone.email)
    assert "t=1" in before
    assert "t=2" in await admin.fetchval(stored, someone.user)
    await log_in(identity, someone.email)


async def test_after_logging_out_the_session_gives_nothing_more(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    await identity.auth.Logout(LogoutRequest(), metadata=someone.metadata)
    refresh = RefreshSessionRequest(refresh_token=someone.login.session.refresh_token)
    await refusal(identity.auth.RefreshSession(refresh), UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")
    switch = SwitchIdentityRequest(identity_id=someone.identity)
    await refusal(
        identity.auth.SwitchIdentity(switch, metadata=someone.metadata),
        UNAUTHENTICATED,
        "SESSION_INVALID",
    )
    claims = jwt.decode(someone.token, options={"verify_signature": False})
    *_, ended = await events(admin, f"session/{claims['sid']}")
    assert ended["type"] == "chenu.identity.session.ended"
    assert ended["data"]["details"] == {"cause": "logged_out"}


async def test_logging_out_twice_records_one_end(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    for _ in range(2):
        await identity.auth.Logout(LogoutRequest(), metadata=someone.metadata)
    claims = jwt.decode(someone.token, options={"verify_signature": False})
    ended = [e["type"] for e in await events(admin, f"session/{claims['sid']}")]
    assert ended.count("chenu.identity.session.ended") == 1


async def test_logging_out_everywhere_ends_the_other_sessions_and_nobody_elses(
    identity: Identity, someone: Someone
) -> None:
    elsewhere, stranger = await log_in(identity, someone.email), await identity.register()
    await identity.auth.Logout(LogoutRequest(all_sessions=True), metadata=someone.metadata)
    refresh = RefreshSessionRequest(refresh_token=elsewhere.login.session.refresh_token)
    await refusal(identity.auth.RefreshSession(refresh), UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")
    unharmed = RefreshSessionRequest(refresh_token=stranger.login.session.refresh_token)
    assert (await identity.auth.RefreshSession(unharmed)).access_token


async def test_logging_out_everywhere_looks_no_further_back_than_delegations_live(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    ran_out = {}
    for ago in ("1 day", "1 year"):
        elsewhere = await log_in(identity, someone.email)
        ran_out[ago] = jwt.decode(elsewhere.token, options={"verify_signature": False})["sid"]
        await admin.execute(
            "UPDATE identity.sessions SET expire_time = now() - $2::text::interval"
            " WHERE session_id = $1",
            ran_out[ago], ago,
        )  # fmt: skip
    await identity.auth.Logout(LogoutRequest(all_sessions=True), metadata=someone.metadata)
    ended = "SELECT end_cause FROM identity.sessions WHERE session_id = $1"
    causes = {ago: await admin.fetchval(ended, session) for ago, session in ran_out.items()}
    assert causes == {"1 day": "logged_out", "1 year": None}


async def test_a_changed_password_ends_every_other_session_and_keeps_this_one(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    elsewhere = await log_in(identity, someone.email)
    change = ChangePasswordRequest(current_password=PASSWORD, new_password="another horse 2")
    await identity.auth.ChangePassword(change, metadata=someone.metadata)
    await refusal(log_in(identity, someone.email), UNAUTHENTICATED, "WRONG_CREDENTIALS")
    assert (await log_in(identity, someone.email, "another horse 2")).user == someone.user
    lost = RefreshSessionRequest(refresh_token=elsewhere.login.session.refresh_token)
    await refusal(identity.auth.RefreshSession(lost), UNAUTHENTICATED, "REFRESH_TOKEN_INVALID")
    kept = RefreshSessionRequest(refresh_token=someone.login.session.refresh_token)
    assert (await identity.auth.RefreshSession(kept)).access_token
    types = [event["type"] for event in await events(admin, f"user/{someone.user}")]
    assert "chenu.identity.password.changed" in types


async def test_a_log_in_that_was_under_way_as_the_password_was_changed_comes_too_late(
    identity: Identity, someone: Someone, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, changed, verify = asyncio.Event(), asyncio.Event(), Passwords.verify

    async def slowly(self: Passwords, stored: str | None, password: str) -> bool:
        matches = await verify(self, stored, password)
        if not looked.is_set():
            looked.set()
            await changed.wait()
        return matches

    monkeypatch.setattr(Passwords, "verify", slowly)
    late = asyncio.ensure_future(log_in(identity, someone.email))
    await looked.wait()
    change = ChangePasswordRequest(current_password=PASSWORD, new_password="better horse 2")
    await identity.auth.ChangePassword(change, metadata=someone.metadata)
    changed.set()
    await refusal(late, UNAUTHENTICATED, "WRONG_CREDENTIALS")
    assert await log_in(identity, someone.email, "better horse 2")


async def test_the_password_is_not_changed_without_the_present_one(
    identity: Identity, someone: Someone
) -> None:
    wrong = ChangePasswordRequest(current_password="wrong horse 1", new_password="another 2 horse")
    await refusal(
        identity.auth.ChangePassword(wrong, metadata=someone.metadata),
        UNAUTHENTICATED,
        "WRONG_CREDENTIALS",
    )
    assert (await log_in(identity, someone.email)).user == someone.user


async def test_a_weak_new_password_is_refused(identity: Identity, someone: Someone) -> None:
    weak = ChangePasswordRequest(current_password=PASSWORD, new_password="onlyletters")
    await refusal(
        identity.auth.ChangePassword(weak, metadata=someone.metadata),
        grpc.StatusCode.INVALID_ARGUMENT,
        "PASSWORD_TOO_WEAK",
    )


async def test_a_logged_out_access_token_cannot_change_the_password(
    identity: Identity, someone: Someone
) -> None:
    await identity.auth.Logout(LogoutRequest(), metadata=someone.metadata)
    change = ChangePasswordRequest(current_password=PASSWORD, new_password="another horse 2")
    await refusal(
        identity.auth.ChangePassword(change, metadata=someone.metadata),
        UNAUTHENTICATED,
        "SESSION_INVALID",
    )


async def test_what_needs_a_token_is_refused_without_a_good_one(
    identity: Identity, someone: Someone
) -> None:
    head, body, signature = someone.token.split(".")
    forged = f"{head}.{body}.{signature[:-4]}AAAA"
    for metadata in ((), bearer("nonsense"), bearer(forged), (("authorization", "Basic eDp5"),)):
        await refusal(
            identity.auth.GetMe(GetMeRequest(), metadata=metadata),
            UNAUTHENTICATED,
            "TOKEN_INVALID",
        )
