"""The session: kept for its owner alone, renewed by itself, once."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from chenu.identity.v1.auth_service_pb2 import RefreshSessionResponse
from chenu.identity.v1.token_service_pb2 import (
    ExchangeDelegationResponse,
    IssueVoteTokenResponse,
)
from cli.credentials import Credentials
from cli.session_file import MOST_SEEN, NotLoggedIn, SessionFile
from tests.unit.cli.conftest import Recording, a_session


def refreshed(number: int) -> RefreshSessionResponse:
    answer = RefreshSessionResponse(access_token=f"access-{number}")
    answer.session.refresh_token = f"refresh-{number}"
    answer.session.access_expire_time.FromSeconds(int(time.time()) + 1800)
    return answer


def delegated() -> ExchangeDelegationResponse:
    answer = ExchangeDelegationResponse(delegation_token="delegation-2")
    answer.expire_time.FromSeconds(int(time.time()) + 900)
    return answer


def credentials(folder: Path, recording: Recording, **changes: object) -> Credentials:
    file = SessionFile(folder / "session.json")
    file.save(a_session(**changes))
    return Credentials(file, lambda: recording)  # type: ignore[arg-type, return-value]


def test_only_its_owner_reads_the_file(tmp_path: Path) -> None:
    file = SessionFile(tmp_path / "new" / "session.json")
    file.save(a_session())
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.load() == file.load()
    assert [path.name for path in file.path.parent.iterdir()] == ["session.json"]


def test_no_file_and_a_broken_one_mean_that_nobody_is_logged_in(tmp_path: Path) -> None:
    file = SessionFile(tmp_path / "session.json")
    with pytest.raises(NotLoggedIn, match="nobody"):
        file.load()
    for broken in ("{", "{}", "[]"):
        file.path.write_text(broken)
        with pytest.raises(NotLoggedIn):
            file.load()


def test_fields_of_a_newer_version_are_ignored(tmp_path: Path) -> None:
    file = SessionFile(tmp_path / "session.json")
    file.save(a_session())
    file.path.write_text(json.dumps({**json.loads(file.path.read_text()), "new": 1}))
    assert file.load().email == "ada@example.org"


def test_what_was_shown_is_remembered_the_latest_first_to_stay(tmp_path: Path) -> None:
    file = SessionFile(tmp_path / "session.json")
    file.save(a_session(seen={f"c{n}": "old" for n in range(MOST_SEEN)}))
    file.note_seen("c0", "sha256:new")
    file.note_seen("c-new", "sha256:x")
    seen = file.load().seen
    assert len(seen) == MOST_SEEN
    assert (seen["c0"], seen["c-new"]) == ("sha256:new", "sha256:x")
    assert "c1" not in seen


async def test_a_good_token_is_used_as_it_is(tmp_path: Path, recording: Recording) -> None:
    own = credentials(tmp_path, recording)
    assert await own.access_token() == "access-1"
    assert await own.delegation_token() == "delegation-1"
    assert recording.sent == []


async def test_many_calls_at_once_renew_an_expired_token_once(
    tmp_path: Path, recording: Recording
) -> None:
    own = credentials(tmp_path, recording, access_expires=0.0)
    recording.answer("RefreshSession", refreshed(2), refreshed(3))
    tokens = await asyncio.gather(*(own.access_token() for _ in range(5)))
    assert set(tokens) == {"access-2"}
    (request,) = recording.calls("RefreshSession")
    assert request.refresh_token == "refresh-1"
    assert own.file.load().refresh_token == "refresh-2"


async def test_another_process_that_renewed_meanwhile_is_noticed(
    tmp_path: Path, recording: Recording
) -> None:
    own = credentials(tmp_path, recording, access_expires=0.0)
    with own.file.locked():
        waiting = asyncio.create_task(asyncio.to_thread(asyncio.run, own.access_token()))
        await asyncio.sleep(0.1)
        own.file.save(a_session(access_token="access-of-another"))
    assert await waiting == "access-of-another"
    assert recording.sent == []


async def test_a_delegation_is_exchanged_with_a_fresh_access_token_and_kept(
    tmp_path: Path, recording: Recording
) -> None:
    own = credentials(tmp_path, recording, access_expires=0.0, delegation_expires=0.0)
    recording.answer("RefreshSession", refreshed(2))
    recording.answer("ExchangeDelegation", delegated())
    assert await own.delegation_token() == "delegation-2"
    assert await own.delegation_token() == "delegation-2"
    assert recording.tokens("ExchangeDelegation") == ["access-2"]
    kept = own.file.load()
    assert (kept.access_token, kept.delegation_token) == ("access-2", "delegation-2")


async def test_a_vote_token_is_bought_with_the_secret_and_no_token(
    tmp_path: Path, recording: Recording
) -> None:
    own = credentials(tmp_path, recording)
    recording.answer("IssueVoteToken", IssueVoteTokenResponse(vote_token="vote-1"))
    assert await own.vote_token("c-1", "sha256:x") == "vote-1"
    ((_, request, token),) = recording.sent
    assert (request.session_secret, request.checkpoint_id, request.view_digest) == (
        "s" * 40,
        "c-1",
        "sha256:x",
    )
    assert token == ""
