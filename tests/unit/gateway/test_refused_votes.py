"""Every refusal of a vote is said in plain words, with a next step."""

import grpc
import pytest

from kernel.errors import DETAILS_KEY, EtagMismatch, Forbidden, ServiceError
from services.courier.errors import ChannelDecidesNothing, ChannelDisabled
from services.gateway.refused_votes import refused_vote
from services.governance import errors as governance
from services.identity.errors import BallotInvalid, ChannelGrantEnded

CAUSES = ("ALREADY_VOTED", "ANOTHER_STAGE", "FOUR_EYES", "SEAT_TAKEN", "NOT_AN_APPROVER", "GONE")


def as_received(error: ServiceError) -> grpc.aio.AioRpcError:
    """The error as whoever called the service has it."""
    trailing = grpc.aio.Metadata((DETAILS_KEY, error.status_bytes()))
    return grpc.aio.AioRpcError(error.code, grpc.aio.Metadata(), trailing, str(error))


@pytest.mark.parametrize(
    "error",
    [
        BallotInvalid(),
        ChannelDecidesNothing(),
        ChannelDisabled(),
        ChannelGrantEnded(),
        governance.CheckpointClaimed(),
        governance.CheckpointExpired(),
        governance.CheckpointNotPending(),
        governance.LoginRequired(),
        governance.VoteTokenUsed(),
        EtagMismatch(),
        Forbidden(),
        *(governance.NotEntitled(cause=cause) for cause in CAUSES),
    ],
    ids=lambda error: f"{error.reason}-{error.metadata.get('cause', '')}",
)
def test_a_refusal_has_words_of_its_own(error: ServiceError) -> None:
    told = refused_vote(as_received(error))
    assert told.why
    assert told.next_step
    assert told.why != str(error)


def test_what_has_no_words_is_told_in_those_of_the_service() -> None:
    told = refused_vote(as_received(governance.LimitsContended()))
    assert told.why == governance.LimitsContended.message
    assert "Log in" in told.next_step


def test_where_no_service_answers_no_address_is_told() -> None:
    error = grpc.aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), "ipv4:10.0.0.7:50052"
    )
    told = refused_vote(error)
    assert "does not answer" in told.why
    assert "10.0.0.7" not in " ".join(told)
