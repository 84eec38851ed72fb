"""`python -m services NAME…`: these services in this process, until it is told to stop."""

import gc
import sys
from importlib import import_module


def serve(*names: str) -> None:
    """Import services and run them."""
    # Of what importing makes nothing is garbage, and to look for some takes a fifth of a start.
    # `kernel.service.run` enables it again.
    gc.disable()
    from kernel.service import main  # noqa: PLC0415 - only after that

    main(*(import_module(f"services.{name}.__main__").PROGRAM for name in names))


if __name__ == "__main__":
    serve(*sys.argv[1:])
