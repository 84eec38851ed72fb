"""What is in the log is for those whom it concerns, and can be changed by nobody."""

import asyncpg
import grpc
import pytest

from chenu.audit.v1 import entry_service_pb2 as entry_pb
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from kernel.errors import reason_of
from kernel.service import Service
from services.audit.settings import AuditSettings
from tests.integration.audit.listing import Publish, listed
from tests.support.database_urls import DatabaseUrls
from tests.support.identity import Person, StandInIdentity
from tests.support.source import StandInSource, an_event
from tests.support.waiting import soon


async def test_a_stranger_and_a_missing_entry_get_the_same_answer(
    entries: EntryServiceStub,
    identity: StandInIdentity,
    person: Person,
    source: StandInSource,
    publish: Publish,
) -> None:
    await publish(source.bundle([an_event(person)]))
    (entry,) = await listed(entries, identity, person, 1)
    stranger = identity.as_human(Person())
    answers = []
    for index in (entry.index, 10**12):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await entries.GetEntry(entry_pb.GetEntryRequest(index=index), metadata=stranger)
        assert reason_of(refused.value) == "FORBIDDEN"
        answers.append((refused.value.code(), refused.value.details()))
    assert answers[0] == answers[1]


async def test_an_auditor_sees_the_tenant_and_a_member_only_the_identity(
    entries: EntryServiceStub, identity: StandInIdentity, source: StandInSource, publish: Publish
) -> None:
    owner = Person()
    member = Person(tenant=owner.tenant, roles=())
    await publish(source.bundle([an_event(owner), an_event(member)]))
    assert len(await listed(entries, identity, owner, 2)) == 2
    assert len(await listed(entries, identity, member, 1)) == 1


async def test_each_reading_is_itself_in_the_log(
    entries: EntryServiceStub, identity: StandInIdentity, person: Person
) -> None:
    me = identity.as_human(person)

    async def recorded() -> bool:
        answer = await entries.ListEntries(entry_pb.ListEntriesRequest(), metadata=me)
        return any(e.event.type == "chenu.audit.entries.read" for e in answer.entries)

    await soon(recorded, "the reading is recorded")


@pytest.mark.parametrize("table", ["entries", "tree_heads", "quarantine"])
@pytest.mark.parametrize("verb", ["UPDATE", "DELETE", "TRUNCATE"])
async def test_the_log_cannot_be_changed_by_any_role(
    urls: DatabaseUrls,
    superuser: asyncpg.Connection,
    service: Service[AuditSettings],
    table: str,
    verb: str,
) -> None:
    statements = {
        "UPDATE": f"UPDATE audit.{table} SET index = index"
        if table != "tree_heads"
        else "UPDATE audit.tree_heads SET size = size",
        "DELETE": f"DELETE FROM audit.{table}",
        "TRUNCATE": f"TRUNCATE audit.{table}",
    }
    for url in (urls.app, urls.worker, urls.admin):
        connection = await asyncpg.connect(url)
        try:
            if url == urls.admin:
                await connection.execute("SET session_replication_role = replica")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statements[verb])
        finally:
            await connection.close()


async def test_a_query_without_an_identity_is_an_error_and_not_an_empty_list(
    urls: DatabaseUrls, service: Service[AuditSettings]
) -> None:
    connection = await asyncpg.connect(urls.app)
    try:
        with pytest.raises(asyncpg.UndefinedObjectError):
            await connection.fetch("SELECT * FROM audit.entries")
    finally:
        await connection.close()
