"""Looking up what a request id was answered."""

from uuid import uuid4

import grpc
import pytest

from chenu.governance.v1.authorization_service_pb2 import GetAuthorizationRequest, VerdictState
from tests.support.governance_client import GovernanceClient, a_request, allowed
from tests.support.identity import Person, StandInIdentity

PERMITTED = VerdictState.VERDICT_STATE_PERMITTED
DENIED = grpc.StatusCode.PERMISSION_DENIED


async def test_looking_up_a_request_id_says_what_blocks_it_and_mints_nothing(
    client: GovernanceClient, person: Person
) -> None:
    request, checkpoint = await client.blocked(person)
    blocked = await client.found(person, request.request_id)
    await client.approve(person, checkpoint)

    approved = await client.found(person, request.request_id)

    assert blocked.state == VerdictState.VERDICT_STATE_BLOCKED
    assert blocked.checkpoint == checkpoint
    assert approved.state == PERMITTED
    assert not approved.permit


async def test_a_foreign_request_id_is_answered_like_a_missing_one(
    client: GovernanceClient, identity: StandInIdentity, person: Person
) -> None:
    stranger = Person()
    known = a_request(allowed(stranger))
    await client.ask(stranger, known)

    answers = []
    for request_id in (known.request_id, str(uuid4())):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await client.authorization.GetAuthorization(
                GetAuthorizationRequest(request_id=request_id), metadata=identity.as_human(person)
            )
        trailers = dict(failure.value.trailing_metadata() or ())
        answers.append((failure.value.code(), failure.value.details(), trailers))

    assert answers[0] == answers[1]
    assert answers[0][0] == DENIED
