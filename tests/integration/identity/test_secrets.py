"""No secret and no inside of the service in a log line, an error, an event or a plain column."""

from typing import Any
from uuid import uuid4

import grpc
import pytest

from chenu.identity.v1.agent_service_pb2 import HireAgentRequest
from chenu.identity.v1.auth_service_pb2 import (
    ChangePasswordRequest,
    LoginRequest,
    RefreshSessionRequest,
)
from chenu.identity.v1.token_service_pb2 import (
    ExchangeDelegationRequest,
    IssueAgentTokenRequest,
    IssueServiceTokenRequest,
    IssueVoteTokenRequest,
    RenewDelegationRequest,
)
from tests.integration.identity.conftest import Identity, Someone

OLD, NEW, WRONG = "first passw0rd", "second passw0rd", "mistaken passw0rd"
VIEW = "sha256:" + "0" * 64


async def everything(identity: Identity) -> tuple[Someone, dict[str, str]]:
    """Go through every door; all secrets that were seen on the way, by name."""
    person = await identity.register(password=OLD)
    session, secret = person.login.session, person.login.session_secret
    hired = await identity.agents.HireAgent(
        HireAgentRequest(display_name="Scout", session_secret=secret), metadata=person.metadata
    )
    agent = IssueAgentTokenRequest(agent_id=hired.agent.agent_id, secret=hired.secret)
    vote = IssueVoteTokenRequest(
        session_secret=secret, checkpoint_id=str(uuid4()), view_digest=VIEW
    )
    assertion = identity.assertion("nova")
    delegation = await identity.tokens.ExchangeDelegation(
        ExchangeDelegationRequest(), metadata=person.metadata
    )
    renewed = await identity.tokens.RenewDelegation(
        RenewDelegationRequest(delegation_token=delegation.delegation_token),
        metadata=await identity.as_service("nova"),
    )
    await identity.auth.ChangePassword(
        ChangePasswordRequest(current_password=OLD, new_password=NEW), metadata=person.metadata
    )
    refreshed = await identity.auth.RefreshSession(
        RefreshSessionRequest(refresh_token=session.refresh_token)
    )
    service = IssueServiceTokenRequest(assertion=assertion)
    return person, {
        "password": OLD,
        "new password": NEW,
        "access token": person.token,
        "refresh token": session.refresh_token,
        "next refresh token": refreshed.session.refresh_token,
        "session secret": secret,
        "agent secret": hired.secret,
        "agent token": (await identity.tokens.IssueAgentToken(agent)).access_token,
        "vote token": (await identity.tokens.IssueVoteToken(vote)).vote_token,
        "delegation": delegation.delegation_token,
        "renewed delegation": renewed.delegation_token,
        "assertion": assertion,
        "service token": (await identity.tokens.IssueServiceToken(service)).service_token,
    }


async def refused(call: Any) -> str:
    """All that a refused client is told."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return f"{caught.value.details()} {caught.value.trailing_metadata()!r}"


async def provoke(identity: Identity, person: Someone, secrets: dict[str, str]) -> str:
    """Use everything wrongly."""
    login = LoginRequest(email=person.email, password=WRONG)
    reused = RefreshSessionRequest(refresh_token=secrets["refresh token"])
    agent = IssueAgentTokenRequest(agent_id=str(uuid4()), secret=secrets["agent secret"])
    vote = IssueVoteTokenRequest(
        session_secret=secrets["access token"][:512], checkpoint_id=str(uuid4()), view_digest=VIEW
    )
    renewal = RenewDelegationRequest(delegation_token=secrets["access token"])
    spent = IssueServiceTokenRequest(assertion=secrets["assertion"])
    nul = HireAgentRequest(display_name="\0")
    answers = [
        await refused(identity.auth.Login(login)),
        await refused(identity.tokens.IssueAgentToken(agent)),
        await refused(identity.tokens.IssueVoteToken(vote)),
        await refused(identity.tokens.IssueServiceToken(spent)),
        await refused(
            identity.tokens.RenewDelegation(renewal, metadata=await identity.as_service("nova"))
        ),
        await refused(identity.agents.HireAgent(nul, metadata=person.metadata)),
        await refused(identity.register(email=person.email)),
        await refused(identity.auth.RefreshSession(reused)),
    ]
    return "\n".join(answers)


async def test_no_secret_reaches_a_log_an_error_an_event_or_a_plain_column(
    identity: Identity, admin: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    person, secrets = await everything(identity)
    told = await provoke(identity, person, secrets)
    logged = "".join(capfd.readouterr())
    events = str([row["event"] for row in await admin.fetch("TABLE identity.outbox")])
    tables = await admin.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'identity'")
    dump = ""
    for table in tables:
        name = table["tablename"]
        dump += str(await admin.fetch(f"SELECT t::text FROM identity.{name} AS t"))
    assert "IssueVoteToken" in logged
    for name, secret in {**secrets, "wrong password": WRONG}.items():
        for place, text in {"log": logged, "error": told, "event": events, "row": dump}.items():
            assert secret not in text, f"{name} stands in a {place}"
    assert person.email not in logged + told + events


async def test_no_error_tells_of_sql_files_or_code(identity: Identity) -> None:
    person, secrets = await everything(identity)
    told = (await provoke(identity, person, secrets)).lower()
    for inside in ("select", "insert", "asyncpg", "postgres", "traceback", ".py", "/work", "argon"):
        assert inside not in told
