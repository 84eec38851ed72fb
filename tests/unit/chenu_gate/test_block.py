from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.code_pb2 import ABORTED, FAILED_PRECONDITION
from google.rpc.error_details_pb2 import ErrorInfo, PreconditionFailure
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint, CheckpointBlock, Option
from chenu_gate.block import MAX_BYTES, block_in, block_of, block_status
from tests.support.actions import DEFINITION

SIX_KILOBYTES = 6_000


def a_checkpoint(number: int = 0, **changes: Any) -> BlockedCheckpoint:
    fields: dict[str, Any] = {
        "checkpoint_id": f"01a2b3c4-d5e6-7f80-9a1b-{number:012d}",
        "action": "thread.delete (delete)",
        "action_digest": DEFINITION,
        "question": "Delete thread t-1?",
        "options": [Option(id="approve", label="Approve"), Option(id="reject", label="Reject")],
        "view_digest": DEFINITION,
        "review_uri": f"http://127.0.0.1:8080/checkpoints/01a2b3c4-d5e6-7f80-9a1b-{number:012d}",
        "preview": "Delete thread t-1.\nWhat is deleted cannot be brought back.",
        "request_id": f"01a2b3c4-d5e6-7f80-9a1b-{number:012d}",
    }
    checkpoint = BlockedCheckpoint(**fields | changes)
    checkpoint.expire_time.FromDatetime(datetime(2026, 11, 22, 12, tzinfo=UTC))
    return checkpoint


def block(status: Status) -> CheckpointBlock:
    found = block_in(status)
    assert found is not None
    return found


def detail(status: Status, message: Message) -> Any:
    assert any(packed.Unpack(message) for packed in status.details)
    return message


def test_a_small_block_holds_everything() -> None:
    checkpoints = [a_checkpoint(number) for number in range(3)]
    status = block_status("run-1", checkpoints)

    assert block(status) == CheckpointBlock(run_id="run-1", checkpoints=checkpoints, omitted=0)
    assert status.code == FAILED_PRECONDITION
    assert status.message == "persons must approve 3 actions first"
    info = detail(status, ErrorInfo())
    assert (info.reason, info.domain) == ("CHECKPOINT_REQUIRED", "chenu")
    failure = detail(status, PreconditionFailure())
    assert [(one.type, one.subject) for one in failure.violations] == [
        ("CHECKPOINT_REQUIRED", f"checkpoint/{one.checkpoint_id}") for one in checkpoints
    ]


@pytest.mark.parametrize("count", range(1, 201))
def test_a_block_stays_below_six_kilobytes(count: int) -> None:
    long = {"question": "é" * 5_000, "preview": "漢" * 5_000, "action": "a" * 5_000}
    checkpoints = [a_checkpoint(number, **long) for number in range(count)]
    status = block_status("run-1", checkpoints)
    shown = block(status)

    assert status.ByteSize() <= MAX_BYTES < SIX_KILOBYTES
    assert len(shown.checkpoints) + shown.omitted == count
    assert len(shown.checkpoints) >= min(count, 6)
    for given_one, kept in zip(checkpoints, shown.checkpoints, strict=False):
        for whole in ("checkpoint_id", "action_digest", "view_digest", "request_id", "review_uri"):
            assert getattr(kept, whole) == getattr(given_one, whole)
        assert kept.expire_time == given_one.expire_time
        assert list(kept.options) == list(given_one.options)
        assert kept.question.endswith("é…")


checkpoints_of_any_size = st.lists(
    st.builds(
        a_checkpoint,
        st.integers(0, 10**12 - 1),
        question=st.text(max_size=3000),
        preview=st.text(max_size=3000),
        action=st.text(max_size=300),
        review_uri=st.text(max_size=400),
    ),
    max_size=15,
)


@given(checkpoints_of_any_size)
def test_whatever_the_texts_a_block_fits_and_says_what_it_cut(
    checkpoints: list[BlockedCheckpoint],
) -> None:
    status = block_status("run-1", checkpoints)
    shown = block(status)

    assert status.ByteSize() <= MAX_BYTES
    assert len(shown.checkpoints) + shown.omitted == len(checkpoints)
    for given_one, kept in zip(checkpoints, shown.checkpoints, strict=False):
        for text in ("action", "question"):
            said, whole = getattr(kept, text), getattr(given_one, text)
            assert said == whole or (said.endswith("…") and whole.startswith(said[:-1]))


def test_the_first_checkpoint_keeps_its_preview_and_the_last_ones_go_first() -> None:
    checkpoints = [a_checkpoint(number, preview="p" * 2_000) for number in range(20)]
    shown = block(block_status("run-1", checkpoints))

    assert [one.checkpoint_id for one in shown.checkpoints] == [
        one.checkpoint_id for one in checkpoints[: len(shown.checkpoints)]
    ]
    lengths = [len(one.preview) for one in shown.checkpoints]
    assert lengths == sorted(lengths, reverse=True)

    alone = block(block_status("run-1", checkpoints[:1])).checkpoints[0]
    assert len(alone.preview.encode()) == 1_600
    assert alone.preview.endswith("…")


def test_what_can_only_be_whole_is_left_out_rather_than_cut() -> None:
    shown = block(block_status("r" * 10_000, [a_checkpoint(review_uri="http://" + "x" * 400)]))
    assert (shown.run_id, shown.checkpoints[0].review_uri) == ("", "")

    shown = block(block_status("run-1", [a_checkpoint(checkpoint_id="c" * 10_000)]))
    assert (list(shown.checkpoints), shown.omitted) == ([], 1)


def test_the_checkpoints_given_are_not_changed() -> None:
    checkpoint = a_checkpoint(question="q" * 5_000)
    block_status("run-1", [checkpoint])

    assert len(checkpoint.question) == 5_000


class Failed:
    """An RPC that failed with these trailers."""

    def __init__(self, *trailers: tuple[str, str | bytes]) -> None:
        self.trailers = trailers

    def trailing_metadata(self) -> tuple[tuple[str, str | bytes], ...] | None:
        return self.trailers or None


def test_a_block_is_read_from_the_error_that_carried_it() -> None:
    status = block_status("run-1", [a_checkpoint()])
    error = Failed(("x-other", "1"), ("grpc-status-details-bin", status.SerializeToString()))

    assert block_of(error) == block(status)


def other_status(code: int = FAILED_PRECONDITION, **info: str) -> Status:
    status = Status(code=code)
    for message in (ErrorInfo(**{"domain": "chenu", **info}), CheckpointBlock(run_id="forged")):
        packed = AnyMessage()
        packed.Pack(message)
        status.details.append(packed)
    return status


@pytest.mark.parametrize(
    "error",
    [
        Failed(),
        Failed(("grpc-status-details-bin", "text")),
        Failed(("grpc-status-details-bin", b"\xff\xff")),
        Failed(("grpc-status-details-bin", b"")),
        Failed(("grpc-status-details-bin", other_status(reason="OTHER").SerializeToString())),
        Failed(
            (
                "grpc-status-details-bin",
                other_status(reason="CHECKPOINT_REQUIRED", domain="evil").SerializeToString(),
            )
        ),
        Failed(
            (
                "grpc-status-details-bin",
                other_status(ABORTED, reason="CHECKPOINT_REQUIRED").SerializeToString(),
            )
        ),
    ],
)
def test_every_other_error_is_no_block(error: Failed) -> None:
    assert block_of(error) is None
