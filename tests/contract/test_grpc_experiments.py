"""The locked gRPC knows what the services ask of it, and is asked before it is imported."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START = "import sys, services; assert 'grpc' not in sys.modules; import grpc"


def said_at_start(**environment: str) -> str:
    """What importing the services, then gRPC, writes to standard error."""
    command = [sys.executable, "-c", START]
    started = subprocess.run(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True, check=True
    )
    return started.stderr


def test_grpc_knows_each_experiment_that_is_switched_off() -> None:
    assert said_at_start() == ""


def test_what_the_environment_says_comes_first_and_an_unknown_experiment_would_be_told() -> None:
    said = said_at_start(GRPC_EXPERIMENTS="-no_such_experiment")
    assert "Unknown experiment: no_such_experiment" in said
