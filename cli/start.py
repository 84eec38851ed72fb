"""Where the `chenu` command begins: somebody may interrupt it while the rest is being loaded."""

import sys


def main() -> None:
    """Run the command; an interrupt ends it without a word, also before it is loaded."""
    try:
        from cli.main import app  # noqa: PLC0415 - see above
    except KeyboardInterrupt:
        sys.exit(130)
    app()
