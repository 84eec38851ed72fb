"""Refused calls in the audit log."""

import json
from typing import Any

import asyncpg
import grpc
import pytest

from kernel import denials as denials_module
from kernel.context import new_id
from kernel.errors import Forbidden
from tests.integration.kernel.fleet import Fleet, refused
from tests.integration.kernel.support import until
from tests.unit.kernel import sample
from tests.unit.kernel.sample import Request, bearer


async def events(admin: asyncpg.Connection, **facts: str) -> list[dict[str, Any]]:
    """Audit events in the outbox whose data has these values."""
    rows = await admin.fetch("SELECT event FROM sample.outbox ORDER BY seq")
    found = [json.loads(row["event"]) for row in rows]
    return [e for e in found if all(e["data"].get(k) == v for k, v in facts.items())]


async def test_a_denial_is_recorded_before_the_client_hears_of_it(
    fleet: Fleet, admin: asyncpg.Connection
) -> None:
    person, thread = new_id(), new_id()

    def deny(_: Any) -> None:
        raise Forbidden(subject=f"thread/{thread}")

    fleet.servicer.behave = deny
    token = fleet.issuer.access(sub=person)
    error = await refused(fleet.stub.Echo(Request(text="x"), metadata=bearer(token)))
    assert error.details() == "not yours, or it does not exist"
    (event,) = [
        e
        for e in await events(admin, reason="FORBIDDEN")
        if e["data"]["actor"].get("person") == person
    ]
    assert event["data"]["action"] == "AUDIT_ACTION_DENY"
    assert event["data"]["outcome"] == "PERMISSION_DENIED"
    assert event["data"]["targets"] == [f"thread/{thread}"]
    assert event["data"]["decision"] == {"effect": "DENY", "rule": "FORBIDDEN"}
    assert event["subject"] == f"method/{sample.SERVICE}/Echo"


async def test_repeated_denials_become_one_event_that_counts_them(
    fleet: Fleet, admin: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = new_id()

    def deny(request: Any) -> None:
        raise Forbidden(subject=f"thread/{request.number}")

    fleet.servicer.behave = deny
    token = fleet.issuer.access(sub=person)
    for number in range(6):
        await refused(fleet.stub.Echo(Request(number=number), metadata=bearer(token)))

    async def recorded() -> list[dict[str, Any]]:
        return [
            e["data"]
            for e in await events(admin, reason="FORBIDDEN")
            if e["data"]["actor"].get("person") == person
        ]

    assert [d["details"]["count"] for d in await recorded()] == ["1"]
    monkeypatch.setattr(denials_module, "WINDOW_SECONDS", 0.0)  # it is over

    async def counted() -> bool:
        return len(await recorded()) == 2

    await until(counted)
    counted_one = (await recorded())[1]
    assert counted_one["details"]["count"] == "5"
    assert counted_one["targets"] == [f"thread/{n}" for n in range(1, 6)]


async def test_a_call_without_a_token_is_recorded_under_the_system_tenant(
    fleet: Fleet, admin: asyncpg.Connection
) -> None:
    error = await refused(fleet.stub.Echo(Request()))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert any(
        e["tenant"] == "00000000-0000-0000-0000-000000000000" and "identity" not in e
        for e in await events(admin, outcome="UNAUTHENTICATED")
    )


async def test_a_denial_that_cannot_be_recorded_is_still_a_denial(
    fleet: Fleet, admin: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(denials_module, "WRITE_SECONDS", 0.2)
    await admin.execute("BEGIN; LOCK TABLE sample.outbox IN ACCESS EXCLUSIVE MODE")
    token = bearer(fleet.issuer.access())
    error = await refused(fleet.stub.ForAudit(Request(), metadata=token))
    await admin.execute("COMMIT")
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
