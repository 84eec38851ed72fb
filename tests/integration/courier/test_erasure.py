"""A person is erased: where they are reached goes, and what others were told of their affairs."""

from chenu.events.v1.subject_service_pb2 import EraseSubjectRequest
from tests.support.channels import a_channel, channels_of, log_of, settled, tell
from tests.support.courier import CourierClient
from tests.support.identity import Person
from tests.support.notices import a_notice
from tests.support.receiver import Receiver


async def test_what_others_were_told_of_an_erased_persons_affairs_is_gone_and_their_channels_stay(
    client: CourierClient, person: Person, receiver: Receiver
) -> None:
    colleague = Person(tenant=person.tenant)
    made = (await a_channel(client, colleague, webhook_url=receiver.url("/status/200"))).channel
    told = a_notice(person, approvers=(colleague.person,))
    own = a_notice(colleague)
    for notice in (told, own):
        await tell(client, notice)
        await settled(client, colleague, notice)
    erase = EraseSubjectRequest(
        tenant_id=person.tenant, person_id=person.person, identity_ids=[person.identity]
    )
    audit = client.identity.as_service("audit")

    assert (await client.subjects.EraseSubject(erase, metadata=audit)).rows == 1

    (left,) = await log_of(client, colleague)
    assert left.checkpoint_id == own.checkpoint.checkpoint_id
    assert [one.channel_id for one in await channels_of(client, colleague)] == [made.channel_id]
    assert (await client.subjects.EraseSubject(erase, metadata=audit)).rows == 0
