"""What is typed wrongly, told in words or as JSON, with the same exit code."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.usage import asks_for_json


@pytest.mark.parametrize(
    ("wrong", "message", "step"),
    [
        (["runs", "--nope"], "No such option: --nope", "chenu runs --help"),
        (["nope"], "No such command 'nope'.", "chenu --help"),
        (["rules", "nope"], "No such command 'nope'.", "chenu rules --help"),
        (["show"], "Missing argument 'CHECKPOINT'.", "chenu show --help"),
        (["runs", "--limit", "many"], "Invalid value for '--limit'", "chenu runs --help"),
    ],
)
def test_with_output_json_wrong_usage_is_json_on_standard_error(
    wrong: list[str], message: str, step: str
) -> None:
    words = CliRunner().invoke(app, wrong, prog_name="chenu")
    for arguments in (["-o", "json", *wrong], [*wrong, "--output=json"]):
        result = CliRunner().invoke(app, arguments, prog_name="chenu")
        assert (result.exit_code, result.stdout) == (words.exit_code, "") == (2, "")
        told = json.loads(result.stderr)
        assert told["message"].startswith(message)
        assert (told["reason"], told["next_step"]) == ("USAGE", step)
    assert "╭─ Error" in words.stderr


def test_what_is_typed_rightly_ends_as_before(tmp_path: Path) -> None:
    for arguments, code in ((["inbox", "--help"], 0), (["inbox"], 1), (["down"], 0)):
        given = ["--state", str(tmp_path), *arguments]
        plain = CliRunner().invoke(app, given)
        programs = CliRunner().invoke(app, ["-o", "json", *given])
        assert (plain.exit_code, programs.exit_code) == (code, code), arguments


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ("-o json", True),
        ("runs -ojson", True),
        ("runs --output json --nope", True),
        ("-o table runs -o json", True),
        ("-o json runs -o table", False),
        ("runs", False),
        ("run -- -o json", False),
        ("run --outputs json", False),
        ("runs -o", False),
    ],
)
def test_whether_json_was_asked_for_is_seen_however_it_is_typed(
    arguments: str, *, asked: bool
) -> None:
    assert asks_for_json(arguments.split()) is asked
