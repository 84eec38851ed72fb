"""What a request says: words, a file by its name, or standard input."""

from pathlib import Path

import pytest

from cli.problems import UsageProblem
from cli.running import request_of, text_of


async def test_a_single_word_that_names_a_file_means_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wishes.txt").write_text("Create a thread about taxes")
    (tmp_path / "two words").write_text("not this")

    for typed in ("wishes.txt", "@wishes.txt", str(tmp_path / "wishes.txt")):
        assert await request_of([typed], None) == "Create a thread about taxes"
    assert await request_of([], Path("wishes.txt")) == "Create a thread about taxes"
    for words in (["two words"], ["read", "wishes.txt"], ["missing.txt"], ["x" * 5000]):
        assert await request_of(words, None) == " ".join(words)


async def test_a_message_is_never_taken_for_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "done").write_text("a secret")
    assert await text_of(["done"], None) == "done"


async def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for file in (tmp_path / "missing", tmp_path / "binary"):
        with pytest.raises(UsageProblem, match="cannot be read as text"):
            await text_of([], file)
