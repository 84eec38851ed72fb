"""A person's identities, and switching between them."""

import asyncio
from uuid import uuid4

import grpc
import jwt

from chenu.identity.v1.auth_service_pb2 import GetMeRequest, SwitchIdentityRequest
from chenu.identity.v1.identity_pb2 import IdentityType
from chenu.identity.v1.identity_service_pb2 import (
    CreateIdentityRequest,
    ListIdentitiesRequest,
    ListIdentitiesResponse,
)
from kernel.errors import DETAILS_KEY
from tests.integration.identity.conftest import Identity, Someone, refusal
from tests.integration.identity.delegating import agent_of, exchange
from tests.support.identity import bearer
from tests.support.waiting import PATIENCE

INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def create(identity: Identity, person: Someone, name: str, **changes: str) -> str:
    request = CreateIdentityRequest(
        type=IdentityType.IDENTITY_TYPE_ENTERPRISE, display_name=name, **changes
    )
    answer = await identity.identities.CreateIdentity(request, metadata=person.metadata)
    return answer.identity.identity_id


async def page(identity: Identity, person: Someone, **wanted: object) -> ListIdentitiesResponse:
    request = ListIdentitiesRequest(**wanted)  # type: ignore[arg-type]
    return await identity.identities.ListIdentities(request, metadata=person.metadata)


async def test_identities_are_listed_by_name_page_by_page(
    identity: Identity, someone: Someone
) -> None:
    for name in ("zinc", "Brass", "copper", "copper"):
        await create(identity, someone, name)
    names, token = [], ""
    while True:
        answer = await page(identity, someone, page_size=2, page_token=token)
        names += [i.display_name for i in answer.identities]
        token = answer.next_page_token
        if not token:
            break
    assert names == ["Ada", "Brass", "copper", "copper", "zinc"]


async def test_a_page_token_of_another_list_or_a_forged_one_is_refused(
    identity: Identity, someone: Someone
) -> None:
    for name in ("one", "two"):
        await create(identity, someone, name)
    token = (await page(identity, someone, page_size=1)).next_page_token
    for wrong in (token[:-2] + "AA", "forged", token[::-1]):
        await refusal(page(identity, someone, page_token=wrong), INVALID, "INVALID_PAGE_TOKEN")


async def test_a_strangers_page_token_shows_only_ones_own_identities(
    identity: Identity, someone: Someone
) -> None:
    await create(identity, someone, "mine")
    token = (await page(identity, someone, page_size=1)).next_page_token
    stranger = await identity.register(display_name="Zoe")
    answer = await page(identity, stranger, page_token=token)
    assert {i.display_name for i in answer.identities} <= {"Zoe"}


async def test_nova_sees_a_persons_identities_and_for_an_agent_the_one_it_acts_for(
    identity: Identity, someone: Someone
) -> None:
    await create(identity, someone, "Shop")
    nova = await identity.as_service("nova")
    _, agents_token = await agent_of(identity, someone)
    seen = []
    for token in (someone.token, agents_token):
        delegation = (await exchange(identity, token)).delegation_token
        both = (*bearer(delegation), *nova)
        answer = await identity.identities.ListIdentities(ListIdentitiesRequest(), metadata=both)
        seen.append([i.display_name for i in answer.identities])
        alone = identity.identities.ListIdentities(
            ListIdentitiesRequest(), metadata=bearer(delegation)
        )
        await refusal(alone, grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED")
    assert seen == [["Ada", "Shop"], ["Ada"]]


async def test_a_negative_page_size_is_refused_and_a_huge_one_is_cut(
    identity: Identity, someone: Someone
) -> None:
    await refusal(page(identity, someone, page_size=-1), INVALID, "INVALID_REQUEST")
    assert len((await page(identity, someone, page_size=2**31 - 1)).identities) == 1


async def test_the_same_request_id_makes_one_identity(identity: Identity, someone: Someone) -> None:
    request_id = str(uuid4())
    first = await create(identity, someone, "Studio", request_id=request_id)
    assert await create(identity, someone, "Studio", request_id=request_id) == first
    await refusal(
        create(identity, someone, "Another", request_id=request_id), INVALID, "REQUEST_ID_REUSED"
    )


async def test_a_switch_gives_a_token_for_the_other_identity_in_the_same_session(
    identity: Identity, someone: Someone
) -> None:
    other = await create(identity, someone, "Studio")
    answer = await identity.auth.SwitchIdentity(
        SwitchIdentityRequest(identity_id=other), metadata=someone.metadata
    )
    before = jwt.decode(someone.token, options={"verify_signature": False})
    after = jwt.decode(answer.access_token, options={"verify_signature": False})
    assert (after["identity"], answer.identity.identity_id) == (other, other)
    assert (after["sid"], after["sub"], after["roles"]) == (
        before["sid"],
        before["sub"],
        before["roles"],
    )
    me = await identity.auth.GetMe(GetMeRequest(), metadata=bearer(answer.access_token))
    assert me.identity.display_name == "Studio"


async def test_switching_to_a_foreign_identity_answers_as_for_a_missing_one(
    identity: Identity, someone: Someone
) -> None:
    stranger = await identity.register()
    answers = []
    for other in (stranger.identity, str(uuid4())):
        error = await refusal(
            identity.auth.SwitchIdentity(
                SwitchIdentityRequest(identity_id=other), metadata=someone.metadata
            ),
            grpc.StatusCode.PERMISSION_DENIED,
            "FORBIDDEN",
        )
        answers.append((error.details(), dict(error.trailing_metadata() or ())[DETAILS_KEY]))
    assert answers[0] == answers[1]


async def test_switches_at_once_take_turns(identity: Identity, someone: Someone) -> None:
    to = [someone.identity, await create(identity, someone, "Work")] * 4
    async with asyncio.timeout(PATIENCE):
        answers = await asyncio.gather(
            *(
                identity.auth.SwitchIdentity(
                    SwitchIdentityRequest(identity_id=one), metadata=someone.metadata
                )
                for one in to
            )
        )
    assert [answer.identity.identity_id for answer in answers] == to
