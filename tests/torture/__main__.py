"""Takes the fleet's power away, fills its disk, kills it, restores it; then counts what is lost.

    make torture                                  # all of it, some minutes; disks need root
    python -m tests.torture power-cuts --cuts 3   # one of them, shorter

Exits with 1 if anything was lost, doubled or left a gap. What cannot be done here is
said to be skipped, and why.
"""

import argparse
import asyncio
import os
import random
import sys
import time

from rich.console import Console
from rich.table import Table

from tests.torture.disk import missing
from tests.torture.scenarios import SCENARIOS
from tests.torture.workplace import clear_leftovers


def main() -> int:
    """Run what was asked for, one after the other."""
    asked = argparse.ArgumentParser(prog="python -m tests.torture")
    asked.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SCENARIOS))
    asked.add_argument("--cuts", type=int, default=20, help="how many power cuts (20)")
    asked.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    given = asked.parse_args()
    for name in given.names:
        if name not in SCENARIOS:
            asked.error(f"there is no {name}")
    told = Console()
    told.print(f"seed {given.seed}")
    for folder in clear_leftovers():
        told.print(f"- cleared away what an earlier run had left in {folder}")
    table = Table("what", "came to", "seconds")
    failed = False
    for name, (scenario, needs_disk) in SCENARIOS.items():
        if given.names and name not in given.names:
            continue
        why_not = missing() if needs_disk else ""
        if why_not:
            told.print(f"- {name} skipped: {why_not}")
            table.add_row(name, f"skipped: {why_not}", "")
            continue
        began = time.monotonic()
        try:
            facts = asyncio.run(scenario(given.cuts, random.Random(given.seed)))
            words = ", ".join(f"{key} {value}" for key, value in facts.items())
        except AssertionError as problem:
            failed, words = True, f"FAILED: {problem}"
        seconds = f"{time.monotonic() - began:.0f}"
        told.print(f"- {name}: {words} ({seconds} s)")
        table.add_row(name, words, seconds)
    told.print(table)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
