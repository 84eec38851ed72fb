"""However much is wrong with a request, its error is found soon and fits into the trailers."""

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status

from chenu.identity.v1.token_service_pb2 import Ballot, IssueVoteTokenRequest
from kernel.errors import InvalidArgument, reason_of
from kernel.interceptors.validation import checked
from tests.unit.kernel.conftest import Running
from tests.unit.kernel.sample import Request, bearer
from tests.unit.kernel.test_interceptors import refused

TRAILERS_MAY_HOLD = 6_000  # bytes, before base64 makes a third more of them


def problem_of(ballots: int) -> InvalidArgument:
    request = IssueVoteTokenRequest(ballots=[Ballot()] * ballots)
    with pytest.raises(InvalidArgument) as error:
        checked(IssueVoteTokenRequest.FromString, request.SerializeToString())
    return error.value


def told(error: InvalidArgument) -> list[str]:
    fields = BadRequest()
    Status.FromString(error.status_bytes()).details[1].Unpack(fields)
    return [violation.field for violation in fields.field_violations]


def test_of_a_request_all_problems_are_told_as_far_as_trailers_hold_them() -> None:
    assert len(told(problem_of(2))) == 5
    for ballots in (50, 1_000):
        assert len(told(problem_of(ballots))) == 16
        assert len(problem_of(ballots).status_bytes()) < TRAILERS_MAY_HOLD


def test_of_a_large_request_no_more_than_the_first_problem_is_looked_for() -> None:
    assert told(problem_of(20_000)) == ["session_secret"]


@pytest.mark.parametrize(("message", "field"), [("ж" * 100_000, ""), ("", "x" * 100_000)])
async def test_a_text_of_the_sender_does_not_outgrow_the_trailers(
    running: Running, message: str, field: str
) -> None:
    def fail(_: object) -> None:
        raise InvalidArgument(message, field=field)

    running.servicer.behave = fail
    error = await refused(
        running.stub.Echo(Request(), metadata=bearer(running.issuer.access()), timeout=30)
    )
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(error) == "INVALID_REQUEST"
