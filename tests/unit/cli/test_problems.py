"""Failures in words."""

from datetime import timedelta

import grpc
import pytest
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import BadRequest, RetryInfo

from cli.problems import Problem, UsageProblem, problem_of
from tests.unit.cli import samples
from tests.unit.cli.conftest import rpc_error


def told(code: grpc.StatusCode, reason: str, **metadata: str) -> Problem:
    status = samples.status(code.value[0], "words", reason, **metadata)
    return problem_of(rpc_error(code, "words", status))  # type: ignore[arg-type]


def test_a_block_names_the_checkpoint_to_look_at() -> None:
    error = rpc_error(grpc.StatusCode.FAILED_PRECONDITION, "a person must", samples.block())
    problem = problem_of(error)  # type: ignore[arg-type]
    assert problem.status == "FAILED_PRECONDITION · CHECKPOINT_REQUIRED"
    assert problem.next_step == f"chenu show {samples.CHECKPOINT}"
    assert problem.exit_code == 3
    assert problem.document()["block"]["checkpoints"][0]["checkpoint_id"] == samples.CHECKPOINT


@pytest.mark.parametrize(
    ("code", "reason", "exit_code"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, "GOVERNANCE_DENIED", 4),
        (grpc.StatusCode.PERMISSION_DENIED, "CHECKPOINT_REJECTED", 4),
        (grpc.StatusCode.FAILED_PRECONDITION, "CHECKPOINT_EXPIRED", 5),
        (grpc.StatusCode.FAILED_PRECONDITION, "RUN_CANCELLED", 5),
        (grpc.StatusCode.FAILED_PRECONDITION, "RUN_FAILED", 1),
        (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID", 6),
        (grpc.StatusCode.UNAVAILABLE, "AUDIT_BACKLOG", 7),
        (grpc.StatusCode.ABORTED, "ETAG_MISMATCH", 1),
    ],
)
def test_the_exit_code_tells_what_sort_of_failure_it_is(
    code: grpc.StatusCode, reason: str, exit_code: int
) -> None:
    assert told(code, reason).exit_code == exit_code


def test_the_next_step_names_what_the_failure_is_about() -> None:
    problem = told(grpc.StatusCode.FAILED_PRECONDITION, "RUN_FAILED", run_id="r-1")
    assert problem.next_step == "chenu watch r-1"
    assert problem.metadata == {"run_id": "r-1"}


@pytest.mark.parametrize(
    ("words", "step"),
    [
        ("a rule forbids this action", "chenu rules"),
        ("FROZEN: by freeze 01a2 since 2026-11-23", "chenu freezes"),
        ("REJECTED_BEFORE: the like of it", "chenu tombstones list"),
        ("RUN_FAILED: words of somebody else", "chenu rules"),
    ],
)
def test_a_denial_is_followed_to_what_denied_it(words: str, step: str) -> None:
    code = grpc.StatusCode.PERMISSION_DENIED
    status = samples.status(code.value[0], words, "GOVERNANCE_DENIED")
    problem = problem_of(rpc_error(code, words, status))  # type: ignore[arg-type]
    assert problem.next_step.partition(";")[0] == step


def test_a_service_that_cannot_be_reached_is_named_by_its_address() -> None:
    error = rpc_error(grpc.StatusCode.UNAVAILABLE, "connection refused")
    problem = problem_of(error, "127.0.0.1:50051")  # type: ignore[arg-type]
    assert str(problem) == "cannot reach 127.0.0.1:50051: connection refused"
    assert problem.next_step == "chenu doctor"


def test_fields_that_are_wrong_are_named() -> None:
    bad = BadRequest(
        field_violations=[BadRequest.FieldViolation(field="title", description="too long")]
    )
    status = samples.status(Code.INVALID_ARGUMENT, "invalid", "INVALID_REQUEST", bad)
    problem = problem_of(rpc_error(grpc.StatusCode.INVALID_ARGUMENT, "invalid", status))  # type: ignore[arg-type]
    assert problem.violations == {"title": "too long"}
    assert problem.document()["violations"] == {"title": "too long"}


def test_a_delay_that_the_service_asks_for_is_passed_on() -> None:
    retry = RetryInfo()
    retry.retry_delay.FromTimedelta(timedelta(seconds=5))
    status = samples.status(Code.UNAVAILABLE, "behind", "AUDIT_BACKLOG", retry)
    problem = problem_of(rpc_error(grpc.StatusCode.UNAVAILABLE, "behind", status))  # type: ignore[arg-type]
    assert problem.next_step.startswith("repeat in 5 s")


def test_a_foreign_error_without_details_is_told_as_it_is() -> None:
    problem = problem_of(rpc_error(grpc.StatusCode.INTERNAL, ""))  # type: ignore[arg-type]
    assert (problem.status, str(problem)) == ("INTERNAL", "no reason was given")


def test_wrong_usage_has_an_exit_code_of_its_own() -> None:
    assert UsageProblem("no").exit_code == 2
