"""`python -m tests.performance`: measure the whole fleet on this machine; prints, never judges."""

import argparse
import json
import time
from pathlib import Path
from typing import Final

import uvloop

from tests.performance.bench import FULL, PARTS, QUICK, Bench, Say
from tests.performance.report import report, write_into
from tests.performance.stack import MeasuredStack, measured_stack

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "performance.md"


def main() -> None:
    """Start a stack, measure it, print the tables; write them where asked."""
    options = _options()
    started = time.monotonic()

    def say(words: str) -> None:
        print(f"[{time.monotonic() - started:6.1f} s] {words}", flush=True)

    with measured_stack(say) as stack:
        bench = uvloop.run(_measure(stack, options, say))
    text = report(bench, f"make bench{_arguments()}")
    print(f"\n{text}")
    if options.json:
        cells = [cell.document() for cell in bench.cells]
        options.json.write_text(json.dumps(cells, indent=2) + "\n")
    if options.write:
        write_into(PAGE, text)


async def _measure(stack: MeasuredStack, options: argparse.Namespace, say: Say) -> Bench:
    pace = QUICK if options.quick else FULL
    bench = Bench(stack, pace, options.load_processes, say)
    await bench.run(options.only or PARTS)
    return bench


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.performance", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a second or two for each cell")
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every cell there too")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/")
    parser.add_argument(
        "--load-processes", type=int, default=1, help="more than one where one is too slow"
    )
    return parser.parse_args()


def _arguments() -> str:
    """What was measured otherwise than by `make bench`; where it is written changes nothing."""
    options = _options()
    given = ["--quick"] if options.quick else []
    given += ["--only", *options.only] if options.only else []
    return f" # {' '.join(given)}" if given else ""


if __name__ == "__main__":
    main()
