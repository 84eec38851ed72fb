"""Figures of how people decide, against a recorded answer."""

from collections.abc import Callable
from datetime import timedelta

from typer.testing import Result

from chenu.governance.v1.reviewer_service_pb2 import ListReviewersResponse
from tests.unit.cli.conftest import Recording

Chenu = Callable[..., Result]


def test_whoever_seems_not_to_read_is_marked(chenu: Chenu, recording: Recording) -> None:
    answer = ListReviewersResponse(backlog=3, expired_per_mille=125)
    one = answer.reviewers.add(
        person_id="p-1", decisions=40, approve_per_mille=1000, rubber_stamp=True
    )
    one.median_decision_time.FromTimedelta(timedelta(seconds=4))
    recording.answer("ListReviewers", answer)

    shown = chenu("reviewers", "--days", "7").stdout

    assert recording.calls("ListReviewers")[0].days == 7
    for words in ("12.5 %", "100 %", "4 s", "approves without reading?"):
        assert words in shown
