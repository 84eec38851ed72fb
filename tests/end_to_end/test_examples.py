"""The programs in examples/ do what they say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.conftest import RunningStack

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SAID = {
    "approve_a_run.py": ["FAILED_PRECONDITION - ", "Delete thread “Draft of the example”", "Done:"],
    "over_http.py": ["423 CHECKPOINT_REQUIRED - ", "CHECKPOINT_STATE_APPROVED", "200 Done:"],
    "guarded_service.py": ["FAILED_PRECONDITION - ", "printed: Dear", "nothing is printed twice"],
}


def test_every_example_is_tried() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SAID)
    described = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(name in described for name in SAID)


@pytest.mark.parametrize("name", SAID)
def test_an_example_tells_the_story_that_it_promises(stack: RunningStack, name: str) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, stack.folder],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        # gRPC itself notes there when a server says good-bye.
        env={**os.environ, "PYTHONWARNINGS": "error", "GRPC_VERBOSITY": "ERROR"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    position = -1
    for words in SAID[name]:
        found = done.stdout.find(words, position + 1)
        assert found > position, (words, done.stdout)
        position = found
