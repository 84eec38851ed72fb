"""The size check counts what it says it counts."""

from pathlib import Path

from tests.contract.check_sizes import LARGEST_KERNEL, code_lines, problems

SOURCE = '''"""A module
of two lines."""

# a comment
VALUE = 1  # counts


class Thing:
    """What it is."""

    def act(self) -> str:
        """Does it."""
        return """text
        that is code"""
'''


def test_only_lines_of_code_count() -> None:
    assert code_lines(SOURCE) == 5


def test_long_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "long.py").write_text("x = 1\n" * 301)
    (tmp_path / "services" / "short.py").write_text("x = 1\n" * 300)
    assert problems(tmp_path) == ["services/long.py has 301 lines; 300 is the limit: split it."]


def test_large_kernel_is_refused_however_it_is_divided(tmp_path: Path) -> None:
    for part in range(12):
        (tmp_path / "kernel" / f"part{part}").mkdir(parents=True)
        path = tmp_path / "kernel" / f"part{part}" / "code.py"
        path.write_text("x = 1\n" * 251 + "\n# why\n")
    (problem,) = problems(tmp_path)
    assert problem.startswith(f"kernel/ has 3012 lines of code; {LARGEST_KERNEL} is the limit")


def test_generated_and_installed_files_are_not_ours(tmp_path: Path) -> None:
    for folder in ("gen", ".venv/lib"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "long.py").write_text("x = 1\n" * 301)
    assert problems(tmp_path) == []
