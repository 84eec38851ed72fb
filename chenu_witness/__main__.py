"""`python -m chenu_witness FOLDER --log-key FILE`: run a witness."""

import argparse
from pathlib import Path

from chenu_witness.server import DEFAULT_NAME, serve


def main() -> None:
    """Read the arguments, then serve."""
    parser = argparse.ArgumentParser(prog="python -m chenu_witness", description=__doc__)
    parser.add_argument("folder", type=Path, help="where its key and its state are")
    parser.add_argument(
        "--log-key", type=Path, required=True, help="verifier keys of the logs, one a line"
    )
    parser.add_argument("--listen", default="127.0.0.1:8090", help="host and port")
    parser.add_argument("--name", default=DEFAULT_NAME, help="the name that it signs under")
    given = parser.parse_args()
    serve(given.folder, given.log_key, given.listen, given.name)


if __name__ == "__main__":
    main()
