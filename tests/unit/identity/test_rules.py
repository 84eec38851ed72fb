"""The small rules: who may decide, and what an error says."""

from datetime import timedelta

import pytest
from google.rpc.status_pb2 import Status

from services.identity import errors
from services.identity.eligibility import why_not
from services.identity.secret_tokens import digest, new_secret


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ((True, True, True, True), ""),
        ((False, False, False, False), "UNKNOWN_PERSON"),
        ((True, False, False, False), "DEACTIVATED"),
        ((True, True, False, False), "NOT_THE_HOLDER"),
        ((True, True, True, False), "SESSION_ENDED"),
    ],
)
def test_the_first_thing_that_is_wrong_is_told(
    facts: tuple[bool, bool, bool, bool], reason: str
) -> None:
    assert why_not(*facts) == reason


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [(timedelta(0), 1), (timedelta(milliseconds=1), 1), (timedelta(seconds=61.2), 62)],
)
def test_a_wait_is_told_in_whole_seconds_and_never_as_none(wait: timedelta, seconds: int) -> None:
    error = errors.TooManyAttempts(wait)
    assert error.metadata == {"retry_after_seconds": str(seconds)}
    assert Status.FromString(error.status_bytes()).message == errors.TooManyAttempts.message


def test_secrets_say_what_they_are_and_never_repeat() -> None:
    made = {new_secret("session") for _ in range(100)}
    assert len(made) == 100
    assert all(s.startswith("chenu_session_") and len(s) == 57 for s in made)
    assert {len(digest(s)) for s in made} == {32}
