"""Plants known faults one by one in a copy of the project, and shows that the tests catch each.

    make mutants                       # all of them, some minutes
    python -m tests.mutants relay      # those with the word in their name
    python -m tests.mutants --list     # their names, and whether their places still stand

First the same tests run on the copy as it is: a test that fails without a fault proves nothing.
Exits with 1 if a fault survives.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.mutants.faults import FAULTS, Fault

ROOT: Final = Path(__file__).parents[2]
LONGEST: Final = 600
_LEFT_OUT: Final = shutil.ignore_patterns(
    ".venv", ".git", "__pycache__", ".*_cache", ".hypothesis", ".chenu", ".gen-*"
)
_told = Console()


def main() -> int:
    """Plant those whose name holds one of the words, or all."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants",
        description="Plant known faults one by one; show that the tests notice each.",
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="part of a fault's name")
    parser.add_argument("--list", action="store_true", help="only name them")
    asked = parser.parse_args()
    words = asked.words
    chosen = [f for f in FAULTS if not words or any(word in f.name for word in words)]
    if not chosen:
        parser.error("no fault has such a name; --list names them")
    moved = [fault for fault in chosen if not _stands(fault)]
    if asked.list:
        for fault in chosen:
            print(f"{fault.name}: {fault.file}")
    for fault in moved:
        _told.print(f"[red]{fault.name}: its place in {fault.file} has changed[/red]")
    if asked.list or moved:
        return 1 if moved else 0
    with tempfile.TemporaryDirectory(prefix="chenu-mutants-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=_LEFT_OUT)
        tests = sorted({test for fault in chosen for test in fault.tests})
        _told.print(f"{len(chosen)} faults; first {len(tests)} tests without any of them …")
        failed, seconds = _run(copy, tests)
        if failed != 0:
            _told.print("[red]they do not pass as they are: mend that first[/red]")
            return 2
        _told.print(f"they pass, in {seconds:.0f} s")
        return _plant(copy, chosen)


def _stands(fault: Fault) -> bool:
    return (ROOT / fault.file).read_text("utf-8").count(fault.before) == 1


def _plant(copy: Path, faults: Iterable[Fault]) -> int:
    table = Table("planted", "in", "noticed", "seconds")
    survivors = 0
    for fault in faults:
        file = copy / fault.file
        whole = file.read_text("utf-8")
        file.write_text(whole.replace(fault.before, fault.after), "utf-8")
        try:
            code, seconds = _run(copy, fault.tests)
        finally:
            file.write_text(whole, "utf-8")
        noticed = code == 1  # pytest's word for "tests failed"; others mean that none was run
        survivors += not noticed
        words = "yes" if noticed else f"NO (pytest ended with {code})"
        table.add_row(fault.name, fault.file, words, f"{seconds:.0f}")
        _told.print(f"{'✓' if noticed else '✗'} {fault.name} ({seconds:.0f} s)")
    _told.print(table)
    _told.print(f"{survivors} survived" if survivors else "every fault was noticed")
    return 1 if survivors else 0


def _run(copy: Path, tests: Sequence[str]) -> tuple[int, float]:
    """Pytest's exit code, and how long it took."""
    began = time.monotonic()
    command = [
        sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider",
        "--timeout=90", *tests,
    ]  # fmt: skip
    environment = os.environ | {
        "PYTHONPATH": f"{copy}{os.pathsep}{copy / 'gen'}",
        "CHENU_TEST_PATIENCE": "10",  # most are to fail, and nothing else runs meanwhile
    }
    try:
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, timeout=LONGEST, check=False
        )
    except subprocess.TimeoutExpired:
        return 1, time.monotonic() - began  # it hangs: that is noticed, too
    return done.returncode, time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
