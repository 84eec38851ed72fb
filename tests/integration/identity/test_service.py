"""The service as a whole: its schema, its sweeper, its demo user, its source interface."""

import asyncio
from typing import Any
from uuid import uuid4

import grpc
import protovalidate
import pytest
from google.protobuf import json_format

from chenu.events.v1.audit_event_pb2 import AuditEvent
from chenu.events.v1.source_service_pb2 import GetBundleRequest
from chenu.events.v1.source_service_pb2_grpc import SourceServiceStub
from chenu.identity.v1.auth_service_pb2 import GetMeRequest, LoginRequest
from chenu.identity.v1.token_service_pb2 import ExchangeDelegationRequest
from kernel.statement import Statement
from services.identity.demo import ensure_user
from services.identity.sweeper import TABLES, sweep
from tests.integration.identity.conftest import PASSWORD, Identity, Someone, refusal
from tests.support.identity import bearer
from tests.support.waiting import PATIENCE


async def test_every_recorded_event_keeps_the_contract_of_events(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    for row in await admin.fetch("TABLE identity.outbox"):
        event = json_format.Parse(row["event"], AuditEvent())
        protovalidate.validate(event)
        assert event.type.startswith("chenu.identity.")


async def test_the_demo_user_is_registered_once_and_logged_in_afterwards(
    identity: Identity,
) -> None:
    email = f"demo-{uuid4()}@example.org"
    first = await ensure_user(identity.auth, email, PASSWORD, "Demo")
    again = await ensure_user(identity.auth, email, PASSWORD, "Demo")
    assert first.session.user == again.session.user
    assert first.session_secret != again.session_secret
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ensure_user(identity.auth, email, "another passw0rd", "Demo")
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ensure_user(identity.auth, email, "weakweakweak", "Demo")
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_the_sweeper_deletes_what_is_over_and_nothing_else(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    await identity.tokens.ExchangeDelegation(ExchangeDelegationRequest(), metadata=someone.metadata)
    await refusal(
        identity.auth.Login(LoginRequest(email=someone.email, password="wrong horse 1")),
        grpc.StatusCode.UNAUTHENTICATED,
        "WRONG_CREDENTIALS",
    )
    await sweep(identity.service.worker)
    count = "SELECT count(*) FROM identity.{} WHERE user_id = $1"
    for table in ("refresh_tokens", "delegations"):
        assert await admin.fetchval(count.format(table), someone.user) == 1
    assert await admin.fetchval("SELECT count(*) FROM identity.attempts") > 0
    await admin.execute("ALTER TABLE identity.delegations DISABLE TRIGGER append_only")
    for overdue in (
        "UPDATE identity.delegations SET deadline = '2000-01-01Z' WHERE user_id = $1",
        "UPDATE identity.refresh_tokens SET expire_time = '2000-01-01Z' WHERE user_id = $1",
    ):
        await admin.execute(overdue, someone.user)
    await admin.execute("ALTER TABLE identity.delegations ENABLE ALWAYS TRIGGER append_only")
    await admin.execute("UPDATE identity.attempts SET window_end = now() - interval '1 s'")
    gone = await sweep(identity.service.worker)
    assert (gone["delegations"], gone["refresh_tokens"]) == (1, 1)
    assert gone["attempts"] > 0
    assert await admin.fetchval("SELECT count(*) FROM identity.attempts") == 0


async def test_the_sweeper_looks_only_at_what_is_over_however_much_is_kept(
    identity: Identity,
) -> None:
    async with identity.service.worker.work() as tx:
        await tx.execute(Statement("SET LOCAL enable_seqscan = off"))
        for table in TABLES:
            plan = await tx.fetch(Statement(f"EXPLAIN DELETE FROM {table}"))
            assert any("Index Cond" in row["QUERY PLAN"] for row in plan), table


async def test_events_become_bundles_that_audit_alone_may_fetch(
    identity: Identity, someone: Someone
) -> None:
    source = SourceServiceStub(identity.channel)
    metadata, found = await identity.as_service("audit"), b""
    async with asyncio.timeout(PATIENCE):
        number = 1
        while someone.user.encode() not in found:
            try:
                request = GetBundleRequest(number=number)
                answer = await source.GetBundle(request, metadata=metadata)
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.1)  # not made yet
            else:
                found, number = b"".join(answer.bundle.events), number + 1
    for stranger in (await identity.as_service("nova"), someone.metadata):
        await refusal(
            source.GetBundle(GetBundleRequest(number=1), metadata=stranger),
            grpc.StatusCode.PERMISSION_DENIED,
            "CALLER_NOT_ALLOWED",
        )


async def test_a_delegation_is_not_taken_for_an_access_token_even_with_novas_token(
    identity: Identity, someone: Someone
) -> None:
    answer = await identity.tokens.ExchangeDelegation(
        ExchangeDelegationRequest(), metadata=someone.metadata
    )
    nova = await identity.service_token("nova")
    for service_token in ("", nova):
        await refusal(
            identity.auth.GetMe(
                GetMeRequest(), metadata=bearer(answer.delegation_token, service_token)
            ),
            grpc.StatusCode.PERMISSION_DENIED,
            "CALLER_NOT_ALLOWED",
        )
