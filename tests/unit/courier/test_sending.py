from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from chenu_gate.executor import ExecutionState
from services.courier.dialing import Answered, NotSent, Result, Uncertain
from services.courier.sending import (
    Ending,
    Letter,
    Sender,
    ending,
    may_have_arrived,
    may_retry,
    signed_headers,
)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
results: st.SearchStrategy[Result] = (
    st.integers(100, 599).map(Answered)
    | st.sampled_from(["CONNECT_FAILED", "URL_REFUSED_ADDRESS", "UNRESOLVABLE"]).map(NotSent)
    | st.sampled_from(["TIMEOUT", "CONNECTION_LOST"]).map(Uncertain)
)


class Script:
    """A dialer that answers with what the test says."""

    def __init__(self, *results: Result) -> None:
        self.results = list(results)
        self.posts = 0

    async def post(self, *_: object) -> Result:
        self.posts += 1
        return self.results[self.posts - 1]


def a_letter(*, idempotent: bool) -> Letter:
    return Letter("id-1", "https://example.com/", b"{}", SECRET, idempotent)


async def send(*results: Result, idempotent: bool) -> tuple[Ending, int]:
    script = Script(*results)
    sender = Sender(script, attempts=3, retry_seconds=0)  # type: ignore[arg-type]
    return await sender.send(a_letter(idempotent=idempotent)), script.posts


@given(st.lists(results, min_size=3, max_size=3))
async def test_what_may_have_arrived_is_never_sent_again_unless_the_endpoint_knows_repeats(
    script: list[Result],
) -> None:
    _, posts = await send(*script, idempotent=False)

    assert not any(not isinstance(result, NotSent) for result in script[: posts - 1])


@given(st.lists(results, min_size=3, max_size=3), st.booleans())
async def test_an_end_is_certain_only_where_it_is(script: list[Result], idempotent: bool) -> None:
    ended, posts = await send(*script, idempotent=idempotent)
    tried = script[:posts]

    if ended.state is ExecutionState.FAILED:
        assert not any(may_have_arrived(result) for result in tried)
    if ended.state is ExecutionState.SUCCEEDED:
        assert isinstance(tried[-1], Answered)
        assert 200 <= tried[-1].status < 300
    assert ended.attempts == posts <= 3
    assert ended.state is not ExecutionState.RUNNING


@pytest.mark.parametrize("status", [300, 301, 302, 307, 308])
def test_a_redirect_is_a_certain_failure(status: int) -> None:
    assert ending(Answered(status), 1, uncertain_before=False).state is ExecutionState.FAILED
    assert not may_retry(Answered(status), idempotent=True)


def test_what_is_refused_is_not_tried_again() -> None:
    assert not may_retry(NotSent("URL_REFUSED_ADDRESS"), idempotent=True)
    assert may_retry(NotSent("CONNECT_FAILED"), idempotent=False)


@given(st.binary(max_size=200), st.uuids())
def test_a_signature_is_one_that_standard_webhooks_verifies(
    data: bytes, webhook_id: object
) -> None:
    body = data.hex().encode()
    letter = Letter(str(webhook_id), "https://example.com/", body, SECRET, idempotent=False)

    headers = signed_headers(letter, datetime.now(UTC))

    Webhook(SECRET).verify(body, headers, json_parse=False)
    assert all("\r" not in value and "\n" not in value for value in headers.values())
