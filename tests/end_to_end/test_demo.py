"""`chenu demo` tells the whole story, and leaves nothing behind."""

import re
from pathlib import Path

import pytest
from rich.console import Console

from cli.demo.telling import StepFailed, Story
from cli.problems import Problem
from tests.end_to_end.conftest import RunningStack, chenu_process
from tests.end_to_end.typing_chenu import until

STATUSES = (
    "FAILED_PRECONDITION · CHECKPOINT_REQUIRED",
    "PERMISSION_DENIED · FORBIDDEN",
    "PERMISSION_DENIED · CALLER_NOT_ALLOWED",
    "ABORTED · ETAG_MISMATCH",
    "PERMISSION_DENIED · PERMIT_ACTION",
    "PERMISSION_DENIED · PERMIT_AUDIENCE",
    "PERMISSION_DENIED · PERMIT_IDENTITY",
    "FAILED_PRECONDITION · CHECKPOINT_NOT_PENDING",
    "PERMISSION_DENIED · CHECKPOINT_REJECTED",
)


def test_the_demo_plays_to_its_end_beside_another_stack_and_leaves_nothing(
    stack: RunningStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "made"
    made.mkdir()
    monkeypatch.setenv("TMPDIR", str(made))
    done = chenu_process(tmp_path / "unused", "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    for status in STATUSES:
        assert status in done.stdout, status
    assert "✗" not in done.stdout
    assert "VERIFIED by the key that was pinned" in done.stdout
    assert len(re.findall(r"(?m)^ +\d+  ✓ ", done.stdout)) >= 40
    assert list(made.iterdir()) == []
    assert not (tmp_path / "unused").exists()
    until(lambda: stack.chenu("doctor").exit_code == 0)


async def answers() -> str:
    return "fine"


async def fails() -> str:
    raise Problem("no", code="ABORTED", reason="ETAG_MISMATCH")


async def test_a_step_that_comes_out_otherwise_is_named() -> None:
    story = Story(Console(quiet=True))
    assert await story.step("first", answers()) == "fine"
    with pytest.raises(StepFailed, match=r"step 2 \(second\): expected OK, got ABORTED"):
        await story.step("second", fails())
    assert str(await story.refused("third", "ABORTED · ETAG_MISMATCH", fails())) == "no"
    with pytest.raises(StepFailed, match=r"step 4 .*expected NOT_FOUND, got ABORTED"):
        await story.refused("fourth", "NOT_FOUND", fails())
    with pytest.raises(StepFailed, match=r"step 5 .*expected NOT_FOUND, got OK"):
        await story.refused("fifth", "NOT_FOUND", answers())
    with pytest.raises(StepFailed, match=r"step 6 .*expected 1, got 2"):
        story.check("sixth", 2, 1)
