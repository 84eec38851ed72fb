"""Setting up on a machine where something is missing: said in words, and mended by the next try."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[3]


def installing(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Set up in a folder that has what a checkout has, as far as it is read before packages are."""
    for name in ("requirements-uv.lock", "requirements-dev.lock"):
        shutil.copy(ROOT / name, folder)
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        ["/bin/sh", ROOT / "deploy" / "install.sh"],
        cwd=folder, env=kept | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_venv_that_was_left_half_made_is_made_anew_and_an_index_out_of_reach_is_named(
    tmp_path: Path,
) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / ".venv"], check=True)
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_CONFIG_FILE": os.devnull}
    done = installing(tmp_path, PYTHON=sys.executable, **nowhere)
    assert done.returncode == 1
    assert "No module named pip" not in done.stderr
    assert "then run make again: it goes on from here." in done.stderr
    assert not (tmp_path / ".venv" / ".ready").exists()


@pytest.mark.parametrize("python", ["", "named"])
def test_without_a_python_that_will_do_it_says_which_one_is_needed(
    tmp_path: Path, python: str
) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    named = {"PYTHON": str(old)} if python else {"PATH": str(tmp_path)}
    for tool in ("sh", "rm", "touch"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or tool)
    done = installing(tmp_path, **named)
    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
    assert not (tmp_path / ".venv").exists()
