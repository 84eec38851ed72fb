"""Who gets in: good tokens of each kind, and a corpus of bad ones."""

import json
import time
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest

from kernel.context import new_id
from kernel.errors import reason_of
from kernel.interceptors import authentication
from kernel.tokens import LEEWAY_SECONDS, SigningKey
from tests.unit.kernel import sample
from tests.unit.kernel.conftest import Running
from tests.unit.kernel.forged_tokens import BAD, by_another_key, header, signed
from tests.unit.kernel.sample import DELEGATION, VOTER, Request, bearer
from tests.unit.kernel.test_interceptors import refused


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_token_is_unauthenticated_and_nothing_else(running: Running, name: str) -> None:
    metadata = bearer(BAD[name](running.issuer))
    error = await refused(running.stub.Echo(Request(), metadata=metadata))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert reason_of(error) == ("TOKEN_EXPIRED" if name == "expired" else "TOKEN_INVALID")
    assert not running.servicer.callers


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "token x"])
async def test_a_header_that_holds_no_bearer_token_is_refused(running: Running, value: str) -> None:
    for name in ("authorization", "x-chenu-service-authorization"):
        error = await refused(running.stub.Echo(Request(), metadata=[(name, value)]))
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_the_claims_of_a_person_become_the_caller(running: Running) -> None:
    claims = running.issuer.claims(roles=["owner", "admin"])
    token = running.issuer.key.sign(claims, typ="access+jwt", ttl=60)
    await running.stub.Echo(Request(), metadata=bearer(token, running.issuer.service("gateway")))
    caller = running.servicer.callers[0]
    assert (caller.person, caller.identity, caller.tenant) == (
        claims["sub"], claims["identity"], claims["tenant"],
    )  # fmt: skip
    assert (caller.roles, caller.service, caller.session) == (
        ("owner", "admin"), "gateway", claims["sid"],
    )  # fmt: skip
    assert token not in repr(caller)


async def test_an_agent_is_known_by_its_account(running: Running) -> None:
    agent = new_id()
    token = running.issuer.access(actor="agent", agent=agent)
    await running.stub.Echo(Request(), metadata=bearer(token))
    assert (running.servicer.callers[0].actor, running.servicer.callers[0].agent) == (
        "agent", agent,
    )  # fmt: skip


async def test_a_public_method_takes_no_token_and_believes_none(running: Running) -> None:
    await running.stub.Public(Request())
    await running.stub.Public(Request(), metadata=bearer(running.issuer.access()))
    await running.stub.Public(Request(), metadata=bearer("garbage"))
    await running.stub.Public(Request(), metadata=bearer("", running.issuer.service("gateway")))
    assert [(c.actor, c.person, c.service) for c in running.servicer.callers] == [
        ("system", "", ""), ("system", "", ""), ("system", "", ""), ("system", "", "gateway"),
    ]  # fmt: skip


DELEGATED = {"act": {"service": "nova"}, "delegation": new_id()}


async def test_a_delegation_counts_only_beside_novas_own_token(running: Running) -> None:
    token = running.issuer.of_kind("delegation+jwt", "nova", **DELEGATED)
    for service in ("", running.issuer.service("threads"), running.issuer.service("gateway")):
        error = await refused(running.stub.ForNova(Request(), metadata=bearer(token, service)))
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        assert reason_of(error) == "CALLER_NOT_ALLOWED"
    await running.stub.ForNova(Request(), metadata=bearer(token, running.issuer.service("nova")))
    caller = running.servicer.callers[-1]
    assert (caller.kind, caller.claims["delegation"]) == (DELEGATION, DELEGATED["delegation"])


async def test_an_access_token_is_told_to_become_a_delegation(running: Running) -> None:
    metadata = bearer(running.issuer.access(), running.issuer.service("nova"))
    error = await refused(running.stub.ForNova(Request(), metadata=metadata))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "exchange" in str(error.details())


async def test_only_a_vote_token_votes(running: Running) -> None:
    issuer = running.issuer
    delegation = issuer.of_kind("delegation+jwt", "nova", **DELEGATED)
    for metadata in (
        bearer(issuer.access()),
        bearer(issuer.access(actor="agent", agent=new_id())),
        bearer(delegation, issuer.service("nova")),
        bearer("", issuer.service("nova")),
        bearer(issuer.access(), issuer.service("governance")),
    ):
        error = await refused(running.stub.ForVoters(Request(), metadata=metadata))
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    vote = issuer.of_kind("vote+jwt", "governance", checkpoint="c", view_digest="d", amr=["pwd"])
    await running.stub.ForVoters(Request(), metadata=bearer(vote))
    caller = running.servicer.callers[-1]
    assert (caller.kind, caller.claims["checkpoint"], caller.claims["view_digest"]) == (
        VOTER, "c", "d",
    )  # fmt: skip
    error = await refused(running.stub.Echo(Request(), metadata=bearer(vote)))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_a_vote_counts_only_in_its_persons_hands_or_those_that_the_policy_names(
    running: Running,
) -> None:
    vote = running.issuer.of_kind("vote+jwt", "governance", checkpoint="c", view_digest="d")
    await running.stub.ForVoters(
        Request(), metadata=bearer(vote, running.issuer.service("gateway"))
    )
    for service in ("nova", "threads", "governance"):
        metadata = bearer(vote, running.issuer.service(service))
        error = await refused(running.stub.ForVoters(Request(), metadata=metadata))
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_an_agent_cannot_hold_a_vote(running: Running) -> None:
    vote = running.issuer.of_kind("vote+jwt", "governance", actor="agent", agent=new_id())
    error = await refused(running.stub.ForVoters(Request(), metadata=bearer(vote)))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_service_must_be_one_that_the_policy_names(running: Running) -> None:
    for name, admitted in (("audit", True), ("nova", False), ("", False)):
        metadata = bearer("", running.issuer.service(name))
        if admitted:
            await running.stub.ForAudit(Request(), metadata=metadata)
            assert running.servicer.callers[-1].actor == "service"
        else:
            error = await refused(running.stub.ForAudit(Request(), metadata=metadata))
            assert error.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_a_bad_service_token_spoils_a_good_access_token(running: Running) -> None:
    for service in ("garbage", running.issuer.access(), by_another_key(running.issuer)):
        metadata = bearer(running.issuer.access(), service)
        error = await refused(running.stub.Echo(Request(), metadata=metadata))
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_remembered_token_stops_working_when_it_expires(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    expiry = int(time.time()) + 60
    token = signed(running.issuer, header(running.issuer), exp=expiry)
    await running.stub.Echo(Request(), metadata=bearer(token))
    clock = SimpleNamespace(time=lambda: expiry + LEEWAY_SECONDS - 1)
    monkeypatch.setattr(authentication, "time", clock)
    await running.stub.Echo(Request(), metadata=bearer(token))  # within the leeway
    clock.time = lambda: expiry + LEEWAY_SECONDS
    error = await refused(running.stub.Echo(Request(), metadata=bearer(token)))
    assert reason_of(error) == "TOKEN_EXPIRED"


async def test_a_remembered_token_stops_working_when_its_key_is_withdrawn(
    running: Running, tmp_path: Path
) -> None:
    stolen = sample.Issuer(SigningKey.generate(tmp_path / "stolen.pem"))
    documents = [[running.issuer.key.jwk, stolen.key.jwk], [running.issuer.key.jwk]]

    async def source() -> str:
        return json.dumps({"keys": documents.pop(0)})

    running.keys.source = source
    forged, honest = bearer(stolen.access()), bearer(running.issuer.access())
    for _ in range(2):
        await running.stub.Echo(Request(), metadata=forged)
    await running.keys.refresh()
    error = await refused(running.stub.Echo(Request(), metadata=forged))
    assert reason_of(error) == "TOKEN_INVALID"
    await running.stub.Echo(Request(), metadata=honest)
