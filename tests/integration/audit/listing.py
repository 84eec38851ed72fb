"""What somebody sees of the log, waited for."""

from collections.abc import Awaitable, Callable
from typing import Any

from chenu.audit.v1 import entry_service_pb2 as entry_pb
from chenu.audit.v1.entry_pb2 import Entry
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from tests.support.identity import Person, StandInIdentity
from tests.support.waiting import soon

Publish = Callable[[bytes], Awaitable[None]]


async def listed(
    entries: EntryServiceStub,
    identity: StandInIdentity,
    person: Person,
    count: int,
    **wanted: Any,
) -> list[Entry]:
    """The person's entries, as soon as there are so many."""

    async def all_of_them() -> list[Entry]:
        answer = await entries.ListEntries(
            entry_pb.ListEntriesRequest(page_size=500, resource="", **wanted),
            metadata=identity.as_human(person),
        )
        found = [e for e in answer.entries if e.event.source == "chenu/threads"]
        return found if len(found) >= count else []

    return await soon(all_of_them, f"{count} entries are listed")
