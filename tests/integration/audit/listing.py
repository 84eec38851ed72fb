"""What somebody sees of the log, waited for."""

from chenu.audit.v1 import entry_service_pb2 as entry_pb
from chenu.audit.v1.entry_pb2 import Entry
from tests.support.identity import Person, StandInIdentity
from tests.support.waiting import soon


async def listed(
    entries, identity: StandInIdentity, person: Person, count: int, **wanted: object
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
