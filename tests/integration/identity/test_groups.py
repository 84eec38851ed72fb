"""Concurrent callers share a statement; each item acts as its own person, and fails alone."""

import asyncio
from typing import Any
from uuid import uuid4

import grpc
import jwt

from kernel.audit_event import AuditRecord
from kernel.caller import Caller
from kernel.context import background, new_id
from kernel.grouped_write import GroupedWriter, TouchedNoRow
from services.identity import audit_events
from services.identity.secret_tokens import digest
from services.identity.users import person
from tests.integration.identity.conftest import Identity, Someone, events, refusal
from tests.integration.identity.test_vote_tokens import buy

IN_TIME = {"clock_offset": "0 seconds"}


def sid(of: Someone) -> str:
    return str(jwt.decode(of.token, options={"verify_signature": False})["sid"])


def voter(of: Someone) -> Caller:
    with background("test"):
        return person(of.tenant, of.user, of.identity, (), sid(of))


def issued(to: Someone, checkpoint: str) -> AuditRecord:
    with background("test"):
        return audit_events.vote_token_issued(voter(to), checkpoint, "sha256:", new_id())


async def test_every_secret_of_a_group_is_its_own_holders(identity: Identity) -> None:
    find = GroupedWriter(identity.service.database, "identity.find_holder")
    ada, eve = await identity.register(), await identity.register()

    async def found(secret: str, identity_id: str | None = None) -> dict[str, Any]:
        asked = {"secret_hash": digest(secret).hex(), "identity": identity_id} | IN_TIME
        return await find.write(Caller.system(), asked)

    adas, nobodys, eves, eves_as_ada, again = await asyncio.gather(
        found(ada.login.session_secret),
        found("chenu_session_" + "x" * 43),
        found(eve.login.session_secret),
        found(eve.login.session_secret, ada.identity),
        found(ada.login.session_secret, ada.identity),
    )

    assert nobodys == {}
    assert adas == again
    for of, answer in ((ada, adas), (eve, eves)):
        assert answer == {
            "tenant": of.tenant, "person": of.user, "identity": of.identity, "session": sid(of),
            "amr": ["pwd"], "roles": ["owner", "auditor"], "holds_identity": True,
        }  # fmt: skip
    assert eves_as_ada == eves | {"identity": ada.identity, "holds_identity": False}


async def test_who_holds_anothers_session_fails_alone_and_leaves_no_event(
    identity: Identity, admin: Any
) -> None:
    hold = GroupedWriter(identity.service.database, "identity.hold_session")
    ada, eve = await identity.register(), await identity.register()
    good, guilty = str(uuid4()), str(uuid4())

    answers: list[Any] = await asyncio.gather(
        hold.write(voter(ada), {"session": sid(ada)} | IN_TIME, [issued(ada, good)]),
        hold.write(voter(eve), {"session": sid(ada)} | IN_TIME, [issued(eve, guilty)]),
        hold.write(voter(eve), {"session": sid(eve)} | IN_TIME),
        return_exceptions=True,
    )

    first, second, third = answers
    assert isinstance(second, TouchedNoRow)
    assert first == third == {"roles": ["owner", "auditor"]}
    assert len(await events(admin, f"checkpoint/{good}")) == 1
    assert await events(admin, f"checkpoint/{guilty}") == []


async def test_a_session_that_ends_after_its_secret_was_found_buys_nothing(
    identity: Identity, someone: Someone, admin: Any
) -> None:
    checkpoint = str(uuid4())
    async with admin.transaction():
        await admin.execute(
            "UPDATE identity.sessions SET end_time = now(), end_cause = 'logged_out'"
            " WHERE session_id = $1",
            sid(someone),
        )
        buying = asyncio.create_task(
            refusal(
                buy(identity, someone.login.session_secret, checkpoint),
                grpc.StatusCode.UNAUTHENTICATED,
                "SESSION_INVALID",
            )
        )
        while not await admin.fetchval(
            "SELECT bool_or(pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
            " FROM pg_locks WHERE NOT granted"
        ):
            assert not buying.done()
            await asyncio.sleep(0.01)

    await buying
    assert await events(admin, f"checkpoint/{checkpoint}") == []


async def test_questions_about_several_tenants_are_answered_apart(identity: Identity) -> None:
    check = GroupedWriter(identity.service.database, "identity.check_eligibility")
    ada, eve = await identity.register(display_name="Ada"), await identity.register()
    asker = Caller.system(service="governance")

    async def asked(of: Someone, by: Someone, name: str = "") -> tuple[bool, ...]:
        found = await check.write(
            asker,
            {
                "tenant": of.tenant, "owner_identity": of.identity, "owner_name": name,
                "persons": [by.user, by.user], "identities": [by.identity, of.identity],
                "sessions": [sid(by), None],
            },
        )  # fmt: skip
        first, second = found["voters"]
        assert [first["place"], second["place"]] == [1, 2]
        return first["is_known"], first["is_owner"], second["holds_own"], found["bears_name"]

    answers: Any = await asyncio.gather(
        asked(ada, ada, "Ada"), asked(eve, ada), asked(eve, eve, "Zoe"), asked(ada, eve)
    )
    assert answers == [
        (True, True, True, True),
        (False, False, False, True),
        (True, True, True, False),
        (False, False, False, True),
    ]
