"""Many approvals by one confirmation, against recorded answers."""

from collections.abc import Callable

from typer.testing import Result

from chenu.governance.v1.checkpoint_service_pb2 import (
    BatchDecideCheckpointsResponse,
    CheckpointOutcome,
    GetCheckpointResponse,
    ListCheckpointsResponse,
)
from chenu.identity.v1.token_service_pb2 import IssueVoteTokenResponse
from tests.unit.cli import samples
from tests.unit.cli.conftest import Recording

Chenu = Callable[..., Result]
OTHER = "01920000-0000-7000-8000-00000000c002"


def test_a_batch_shows_every_view_and_votes_with_one_token_for_all(
    chenu: Chenu, recording: Recording
) -> None:
    shown = {one: samples.checkpoint(checkpoint_id=one) for one in (samples.CHECKPOINT, OTHER)}
    recording.answer(
        "GetCheckpoint",
        lambda request: GetCheckpointResponse(checkpoint=shown[request.checkpoint_id]),
    )
    recording.answer("IssueVoteToken", IssueVoteTokenResponse(vote_token="batch-1"))
    recording.answer(
        "BatchDecideCheckpoints",
        BatchDecideCheckpointsResponse(
            outcomes=[
                CheckpointOutcome(
                    checkpoint_id=samples.CHECKPOINT, checkpoint=shown[samples.CHECKPOINT]
                ),
                CheckpointOutcome(checkpoint_id=OTHER, reason="RISK_TOO_HIGH", message="by itself"),
            ]
        ),
    )

    result = chenu("approve", samples.CHECKPOINT, "--batch", OTHER, "--comment", "all good")

    (bought,) = recording.calls("IssueVoteToken")
    (sent,) = recording.calls("BatchDecideCheckpoints")
    assert [one.view_digest for one in bought.ballots] == [one.etag for one in sent.decisions]
    assert {one.comment for one in sent.decisions} == {"all good"}
    assert recording.tokens("BatchDecideCheckpoints") == ["batch-1"]
    assert "RISK_TOO_HIGH" in result.stdout
    assert result.exit_code == 1


def test_the_inbox_can_be_asked_for_what_is_risky(chenu: Chenu, recording: Recording) -> None:
    recording.answer("ListCheckpoints", ListCheckpointsResponse())

    chenu("inbox", "--risk", "high")

    assert recording.calls("ListCheckpoints")[0].min_risk == 3
