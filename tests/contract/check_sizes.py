"""Fails when a file is too long to be read at once, or the kernel more than plumbing.

Run by `make check`: `python -m tests.contract.check_sizes`.
"""

import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGEST_FILE = 300
# Estimated at 1,500 before it was built; docs/decisions.md says why it is more.
LARGEST_KERNEL = 3000
NOT_OURS = {"gen", "build", "dist", "__pycache__"}

NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def python_files(root: Path) -> Iterator[Path]:
    """Every Python file that people write, in the order of its path."""
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).parts
        if not any(part in NOT_OURS or part.startswith(".") for part in parts[:-1]):
            yield path


def code_lines(source: str) -> int:
    """How many lines hold code: not blank, not comment, not docstring."""
    lines = {
        line
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in NO_CODE
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(lines - docstring_lines(ast.parse(source)))


def docstring_lines(tree: ast.Module) -> set[int]:
    """The lines that docstrings take up."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            text = node.body[0]
            found.update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return found


def problems(root: Path) -> list[str]:
    """What is too large under `root`, one sentence each."""
    found = []
    kernel = 0
    for path in python_files(root):
        source = path.read_text(encoding="utf-8")
        name = path.relative_to(root)
        length = len(source.splitlines())
        if length > LONGEST_FILE:
            found.append(f"{name} has {length} lines; {LONGEST_FILE} is the limit: split it.")
        if name.parts[0] == "kernel":
            kernel += code_lines(source)
    if kernel > LARGEST_KERNEL:
        found.append(
            f"kernel/ has {kernel} lines of code; {LARGEST_KERNEL} is the limit:"
            " something in it belongs to a service."
        )
    return found


def main() -> None:
    """Prints what is too large and exits with 1 if anything is."""
    found = problems(ROOT)
    for problem in found:
        print(problem, file=sys.stderr)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
