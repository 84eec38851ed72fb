"""Deciding, against recorded answers: what a vote is for, and what is never voted on."""

from collections.abc import Callable

import grpc
import pytest
from typer.testing import Result

from chenu.governance.v1.checkpoint_service_pb2 import (
    ApproveCheckpointResponse,
    GetCheckpointResponse,
    ListCheckpointsResponse,
)
from chenu.identity.v1.token_service_pb2 import IssueVoteTokenResponse
from chenu.nova.v1.run_pb2 import Run
from chenu.nova.v1.run_service_pb2 import (
    GetRunResponse,
    WatchRunResponse,
)
from tests.unit.cli import samples
from tests.unit.cli.conftest import Recording, rpc_error

Chenu = Callable[..., Result]


def done(text: str = "Do it", state: str = "RUN_STATE_SUCCEEDED") -> Run:
    return Run(run_id=samples.RUN, state=state, text=text, answer="Done.", simulated=True)


def blocked() -> Exception:
    return rpc_error(grpc.StatusCode.FAILED_PRECONDITION, "a person must", samples.block())


def test_an_approval_is_for_the_view_that_was_shown_last(
    chenu: Chenu, recording: Recording
) -> None:
    first = samples.checkpoint()
    recording.answer("GetCheckpoint", GetCheckpointResponse(checkpoint=first))
    recording.answer("IssueVoteToken", IssueVoteTokenResponse(vote_token="vote-1"))
    recording.answer("ApproveCheckpoint", ApproveCheckpointResponse(checkpoint=first))
    assert chenu("show", samples.CHECKPOINT).exit_code == 0
    changed = samples.checkpoint(agent_words="something else")
    recording.answer("GetCheckpoint", GetCheckpointResponse(checkpoint=changed))
    assert chenu("approve", samples.CHECKPOINT, "--comment", "ok").exit_code == 0
    (vote,) = recording.calls("ApproveCheckpoint")
    assert (vote.etag, vote.comment) == (first.etag, "ok")
    assert recording.calls("IssueVoteToken")[0].view_digest == first.etag
    assert recording.tokens("ApproveCheckpoint") == ["vote-1"]


def test_an_approval_without_a_look_shows_the_view_first(
    chenu: Chenu, recording: Recording
) -> None:
    found = samples.checkpoint()
    recording.answer("GetCheckpoint", GetCheckpointResponse(checkpoint=found))
    recording.answer("IssueVoteToken", IssueVoteTokenResponse(vote_token="vote-1"))
    recording.answer("ApproveCheckpoint", ApproveCheckpointResponse(checkpoint=found))
    result = chenu("approve", samples.CHECKPOINT)
    assert result.exit_code == 0
    assert "What is deleted cannot be brought back." in result.stdout
    assert f"This vote is for the view {found.etag[:19]} ({found.etag})" in result.stdout


def test_a_view_that_is_not_true_is_never_voted_on(chenu: Chenu, recording: Recording) -> None:
    forged = samples.checkpoint(action=samples.action(run="").canonical())
    recording.answer("GetCheckpoint", GetCheckpointResponse(checkpoint=forged))
    result = chenu("approve", samples.CHECKPOINT)
    assert result.exit_code == 1
    assert "do not vote on this" in result.stderr
    assert recording.calls("IssueVoteToken") == []


def test_an_etag_that_fits_nothing_is_wrong_usage(chenu: Chenu, recording: Recording) -> None:
    answer = GetCheckpointResponse(checkpoint=samples.checkpoint())
    recording.answer("GetCheckpoint", answer)
    assert chenu("approve", samples.CHECKPOINT, "--etag", "sha256:ffffffffff").exit_code == 2
    assert recording.calls("ApproveCheckpoint") == []


def test_after_an_approval_the_run_is_followed_to_its_end(
    chenu: Chenu, recording: Recording
) -> None:
    found = samples.checkpoint()
    recording.answer("GetCheckpoint", GetCheckpointResponse(checkpoint=found))
    recording.answer("IssueVoteToken", IssueVoteTokenResponse(vote_token="vote-1"))
    recording.answer("ApproveCheckpoint", ApproveCheckpointResponse(checkpoint=found))
    event = WatchRunResponse(sequence_number=9)
    event.event.type = "pipeline.complete"
    recording.answer("WatchRun", WatchRunResponse(sequence_number=8), event)
    recording.answer("GetRun", GetRunResponse(run=done()))
    result = chenu("approve", samples.CHECKPOINT, "--wait")
    assert result.exit_code == 0
    assert "pipeline.complete" in result.stdout
    assert "Done." in result.stdout


def test_an_empty_inbox_says_so_and_a_full_one_lists_it(chenu: Chenu, recording: Recording) -> None:
    recording.answer("ListCheckpoints", ListCheckpointsResponse())
    assert "Nothing waits for you." in chenu("inbox").stdout
    full = ListCheckpointsResponse(checkpoints=[samples.checkpoint()])
    recording.answer("ListCheckpoints", full)
    told = chenu("inbox").stdout
    assert "0000c001" in told
    assert "thread.delete (delete)" in told


def test_at_a_terminal_an_unseen_view_is_asked_about_once_more(
    chenu: Chenu, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.testing._NamedTextIOWrapper.isatty", lambda _: True, raising=False)
    found = samples.checkpoint()
    recording.answer("GetCheckpoint", GetCheckpointResponse(checkpoint=found))
    recording.answer("IssueVoteToken", IssueVoteTokenResponse(vote_token="vote-1"))
    recording.answer("ApproveCheckpoint", ApproveCheckpointResponse(checkpoint=found))
    no = chenu("approve", samples.CHECKPOINT, text="n\n")
    assert (no.exit_code, recording.calls("ApproveCheckpoint")) == (1, [])
    assert "nothing was decided" in no.stderr
    assert chenu("approve", samples.CHECKPOINT, text="y\n").exit_code == 0
    assert chenu("approve", samples.CHECKPOINT, "--yes").exit_code == 0
    assert len(recording.calls("ApproveCheckpoint")) == 2
