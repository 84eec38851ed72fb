"""What the front page promises is there."""

import re
from pathlib import Path

from typer.testing import CliRunner

from cli.main import app

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_command_of_the_readme_exists() -> None:
    typed = set(re.findall(r"(?m)^(?:\.venv/bin/)?chenu ([a-z]+)", README))
    typed |= set(re.findall(r"`chenu ([a-z]+)", README))
    assert {"login", "run", "approve", "audit", "doctor"} <= typed
    for name in typed:
        assert CliRunner().invoke(app, [name, "--help"]).exit_code == 0, name


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make ([a-z]+)", README):
        assert re.search(rf"(?m)^{target}:", makefile), target


def test_every_link_and_folder_of_the_readme_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    folders = re.findall(r"(?m)^\| `([a-z_]+/)` \|", README)
    assert len(links) >= 3
    assert len(folders) >= 7
    for path in (*links, *folders):
        assert (ROOT / path).exists(), path
