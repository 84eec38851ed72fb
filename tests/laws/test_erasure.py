"""A person is erased: nothing of them can be read anywhere, and every proof holds."""

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest

from chenu.audit.v1 import entry_service_pb2 as entry_pb
from chenu.audit.v1 import retention_service_pb2 as messages
from chenu.audit.v1.entry_pb2 import PersonalState
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.export_pb2 import ExportFormat
from chenu.audit.v1.export_service_pb2 import ExportEntriesRequest
from chenu.audit.v1.export_service_pb2_grpc import ExportServiceStub
from chenu.audit.v1.retention_service_pb2_grpc import RetentionServiceStub
from chenu.events.v1.audit_event_pb2 import PHASE_DONE
from chenu.identity.v1.auth_service_pb2 import LoginRequest
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from deploy.postgres.roles import LOGINS, SERVICES
from kernel.context import background
from services.audit.erasures import HOLDERS, TOKENS_LIVE, Erasures
from services.audit.personal import SubjectKeys
from tests.laws import log, traces
from tests.laws.hands import Hands, person_of
from tests.laws.reviewing import join
from tests.laws.stories import reason
from tests.support.fleet import PASSWORD, Client, Fleet
from tests.support.waiting import soon

READABLE = PersonalState.PERSONAL_STATE_READABLE
ERASED = PersonalState.PERSONAL_STATE_ERASED
ERASURE = ("chenu.audit.subject.erasure_started", "chenu.audit.subject.erased")


async def personal(me: Client, type_: str) -> Any:
    """The entry of a kind that says something personal, opened."""
    stub = EntryServiceStub(me.fleet.channel("audit"))
    wanted = entry_pb.ListEntriesRequest(filter=f"type = {type_}")

    async def found() -> Any:
        return (await stub.ListEntries(wanted, metadata=me.me)).entries

    listed = await soon(found, f"{type_} is in the log")
    request = entry_pb.GetEntryRequest(index=listed[0].index)
    return (await stub.GetEntry(request, metadata=me.me)).entry


def disguises(text: str) -> str:
    """A pattern for the text as it is, inside of bytes, and inside of base64 at any place."""
    data = text.encode()
    inner = {b64encode(b"\0" * skip + data).decode().rstrip("=")[4:-2] for skip in range(3)}
    return "|".join([text, data.hex(), *sorted(inner)])


async def tables_that_hold(superuser: Any, text: str) -> set[str]:
    """Every table of every service in which the text can be found."""
    found = set()
    for service in SERVICES:
        for row in await superuser.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = $1", service
        ):
            name = f"{service}.{row['tablename']}"
            sql = f"SELECT EXISTS (SELECT FROM {name} t WHERE t::text ~ $1)"
            if await superuser.fetchval(sql, disguises(text)):
                found.add(name)
    return found


async def export(me: Client) -> bytes:
    stub = ExportServiceStub(me.fleet.channel("audit"))
    request = ExportEntriesRequest(format=ExportFormat.EXPORT_FORMAT_JSONL)
    return b"".join([p.data async for p in stub.ExportEntries(request, metadata=me.me)])


def erasing(person: Client) -> messages.EraseSubjectRequest:
    user = person.session.session.user
    return messages.EraseSubjectRequest(person_id=user.user_id, rule="gdpr-17")


async def test_an_erased_person_who_used_every_service_can_be_read_nowhere(
    fleet: Fleet,
    fleet_environment: Mapping[str, str],
    hands: Hands,
    superuser: Any,
    capfd: pytest.CaptureFixture[str],
) -> None:
    word = f"w{uuid4().hex}"
    me = await fleet.register(word)
    boss, email = await join(me, "owner", "auditor"), me.session.session.user.email
    run = await traces.leave(me, hands, word)
    (waiting,) = (await me.run(run)).block.checkpoints
    assert await tables_that_hold(superuser, word) == traces.TRACES
    retention = RetentionServiceStub(fleet.channel("audit"))
    done = await retention.EraseSubject(erasing(me), metadata=boss.me)
    assert (done.erased, list(done.pending_services)) == (True, [])
    assert done.records >= 2
    ended = "SELECT state <> 'pending' FROM governance.checkpoints WHERE checkpoint_id = $1"
    await soon(lambda: superuser.fetchval(ended, waiting.checkpoint_id), "nothing waits for them")
    state = "SELECT state FROM governance.checkpoints WHERE checkpoint_id = $1"
    assert await superuser.fetchval(state, waiting.checkpoint_id) == "expired"
    await log.all_logged(superuser)
    for text in (word, email):
        assert await tables_that_hold(superuser, text) == set()
        assert text.encode() not in await export(boss)
        folder = Path(fleet_environment["CHENU_KEYS_DIR"]).parent
        stores = [f for f in (folder / "nats").rglob("*") if f.is_file()]
        assert not [file for file in stores if text.encode() in file.read_bytes()]
    logged = "".join(capfd.readouterr())
    assert word not in logged
    assert email not in logged
    # Nobody comes in as them any more, nor does anything of theirs go on.
    login = LoginRequest(email=email, password=PASSWORD)
    auth = AuthServiceStub(fleet.channel("identity"))
    assert (await reason(auth.Login(login)))[0] == "UNAUTHENTICATED"
    assert (await reason(me.run(run)))[1] == "FORBIDDEN"


async def test_what_the_log_says_of_an_erased_person_is_sealed_for_good_and_every_proof_holds(
    fleet: Fleet, hands: Hands, superuser: Any
) -> None:
    me = await fleet.register()
    user = me.session.session.user
    came = await personal(me, "chenu.identity.session.started")
    assert came.personal_state == READABLE
    assert came.personal["address"] == "127.0.0.1"
    registered = await personal(me, "chenu.identity.user.registered")
    assert registered.personal["email"] == user.email
    retention = RetentionServiceStub(fleet.channel("audit"))
    assert (await retention.EraseSubject(erasing(me), metadata=me.me)).erased
    assert not (await retention.EraseSubject(erasing(me), metadata=me.me)).erased
    for type_ in ("chenu.identity.session.started", "chenu.identity.user.registered"):
        entry = await personal(me, type_)
        assert (entry.personal_state, dict(entry.personal)) == (ERASED, {})
        assert entry.event.data.personal.commitment.startswith("hmac-sha256:")
    await log.all_logged(superuser)
    await log.verify(fleet.channel("audit"), me.me, hands.keys)
    # That it was done, when and under which rule, is in the log: before, and after.
    for type_ in ERASURE:
        entry = await personal(me, type_)
        assert entry.event.data.details["rule"] == "gdpr-17"
        assert entry.event.subject == f"user/{user.user_id}"
    for service in HOLDERS:
        told = await personal(me, f"chenu.{service}.subject.erased")
        assert "rows" in told.event.data.details


async def test_no_database_role_finds_the_key_of_an_erased_person(
    fleet: Fleet, hands: Hands, superuser: Any
) -> None:
    me = await fleet.register()
    person = person_of(me)
    wrapped = "SELECT wrapped_key FROM identity.subject_keys WHERE person_id = $1"
    key = await superuser.fetchval(wrapped, person.person)
    assert len(key) > 32
    retention = RetentionServiceStub(fleet.channel("audit"))
    await retention.EraseSubject(erasing(me), metadata=me.me)
    assert await tables_that_hold(superuser, key.hex()) == set()
    read = (
        "SELECT array_agg(k::text)::text FROM identity.subject_keys AS k",
        f"SELECT identity.find_subject_key('{person.tenant}', '{person.person}')::text",
    )
    for role in LOGINS:
        for sql in read:
            async with hands.login(role, person) as connection:
                try:
                    told = await connection.fetchval(sql)
                except asyncpg.InsufficientPrivilegeError:
                    continue
                assert role == "identity_app"
                assert key.hex() not in (told or ""), sql


def erasures_of(audit: Any) -> Erasures:
    keys = SubjectKeys(audit.channels)
    return Erasures(audit.database, audit.worker, keys, audit.channels, audit.page_tokens)


async def listed_of(me: Client) -> messages.Erasure:
    retention = RetentionServiceStub(me.fleet.channel("audit"))
    (erasure,) = (
        await retention.ListErasures(messages.ListErasuresRequest(), metadata=me.me)
    ).erasures
    return erasure


async def test_an_erasure_cut_short_is_gone_on_with_and_gets_its_outcome(
    fleet: Fleet, superuser: Any
) -> None:
    me = await fleet.register()
    audit = fleet.services["audit"]
    erasures = erasures_of(audit)
    thread_id = await me.new_thread("Mine")
    await fleet.stop("threads")
    try:
        retention = RetentionServiceStub(fleet.channel("audit"))
        done = await retention.EraseSubject(erasing(me), metadata=me.me, timeout=30)
        assert list(done.pending_services) == ["threads"]
        under_way = await listed_of(me)
        assert (under_way.person_id, under_way.rule) == (person_of(me).person, "gdpr-17")
        assert list(under_way.pending_services) == ["threads"]
        assert under_way.HasField("repeat_time")
        assert not under_way.HasField("finish_time")
        assert (await personal(me, ERASURE[0])).event.subject == f"user/{person_of(me).person}"
        # Asked again meanwhile, it is the same erasure: one intent, so that one outcome ends it.
        await retention.EraseSubject(erasing(me), metadata=me.me, timeout=30)
        again = await personal(me, "chenu.audit.subject.erasure_repeated")
        assert again.event.data.phase == PHASE_DONE
    finally:
        await fleet.start("threads")
    await audit.channels.bare("threads").channel_ready()  # it tries again only after a while
    outcomes = (
        "SELECT count(*) FROM audit.outbox WHERE convert_from(event, 'UTF8') ~"
        f" '{ERASURE[1]}.*user/{person_of(me).person}'"
        f" OR convert_from(event, 'UTF8') ~ 'user/{person_of(me).person}.*{ERASURE[1]}'"
    )
    assert await superuser.fetchval(outcomes) == 0

    async def swept() -> Any:
        with background("test"):
            await erasures.sweep()
        return await superuser.fetchval(outcomes)

    # Audit may not have found out yet that threads is back.
    assert await soon(swept, "the erasure has its outcome") == await swept() == 1
    ended = await listed_of(me)
    assert (ended.outcome, list(ended.pending_services)) == ("OK", [])
    assert ended.HasField("finish_time")
    title = "SELECT title FROM threads.threads WHERE thread_id = $1"
    assert await superuser.fetchval(title, thread_id) == ""
    # Once the tokens of before are over, what was written with them goes as well.
    await me.new_thread("Written with an old token")
    later = "UPDATE audit.erasures SET again_time = again_time - $2::interval WHERE person = $1"
    await superuser.execute(later, person_of(me).person, TOKENS_LIVE)
    with background("test"):
        await erasures.sweep()
    assert await tables_that_hold(superuser, "Written with an old token") == set()
    assert await superuser.fetchval(outcomes) == 1


async def test_a_hold_placed_meanwhile_ends_an_erasure_that_has_not_gone_on(
    fleet: Fleet, superuser: Any
) -> None:
    me = await fleet.register()
    person = person_of(me)
    audit = fleet.services["audit"]
    erasures = erasures_of(audit)
    begun = (
        "INSERT INTO audit.erasures (tenant, identity, person, rule, records, remaining)"
        " VALUES ($1, $2, $3, 'gdpr-17', 0, '{identity,threads}')"
    )
    await superuser.execute(begun, person.tenant, person.identity, person.person)
    retention = RetentionServiceStub(fleet.channel("audit"))
    hold = messages.PlaceHoldRequest(hold_id=str(uuid4()), person_id=person.person, matter="case")
    await retention.PlaceHold(hold, metadata=me.me)
    with background("test"):
        await erasures.sweep()
    ended = "SELECT outcome FROM audit.erasures WHERE person = $1 AND remaining = '{}'"
    assert await superuser.fetchval(ended, person.person) == "FAILED_PRECONDITION"
    outcome = await personal(me, ERASURE[1])
    assert outcome.event.data.outcome == "FAILED_PRECONDITION"
    assert (await personal(me, "chenu.identity.session.started")).personal_state == READABLE


async def test_the_last_owner_is_not_erased_while_others_need_one(fleet: Fleet) -> None:
    me = await fleet.register()
    await join(me)
    retention = RetentionServiceStub(fleet.channel("audit"))
    refused = await reason(retention.EraseSubject(erasing(me), metadata=me.me))
    assert refused == ("FAILED_PRECONDITION", "LAST_OWNER")
    assert (await personal(me, ERASURE[1])).event.data.outcome == "FAILED_PRECONDITION"


async def test_nobody_erases_a_person_of_another_tenant(fleet: Fleet) -> None:
    me, other = await fleet.register(), await fleet.register()
    retention = RetentionServiceStub(fleet.channel("audit"))
    answers = []
    for person in (other.session.session.user.user_id, str(uuid4())):
        erase = messages.EraseSubjectRequest(person_id=person, rule="gdpr-17")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await retention.EraseSubject(erase, metadata=me.me)
        answers.append((refused.value.code(), refused.value.details()))
    assert answers[0] == answers[1]
    assert answers[0][0] is grpc.StatusCode.PERMISSION_DENIED
    assert (await personal(other, "chenu.identity.session.started")).personal_state == READABLE


async def test_only_its_person_and_auditors_read_what_a_record_says_of_a_person(
    fleet: Fleet, hands: Hands
) -> None:
    me = await fleet.register()
    entry = await personal(me, "chenu.identity.session.started")
    stranger = await fleet.register()
    stub = EntryServiceStub(fleet.channel("audit"))
    request = entry_pb.GetEntryRequest(index=entry.index)
    assert (await reason(stub.GetEntry(request, metadata=stranger.me)))[1] == "FORBIDDEN"
