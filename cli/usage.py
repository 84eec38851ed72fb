"""What is the same for every command line: what can be printed, and how wrong usage is told."""

import io
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import typer
from typer.core import TyperGroup

from cli.command import DEFAULT_STATE
from cli.here import Here, Output
from cli.problems import FAILED, Problem, UsageProblem

_END: Final = "\0"
_ASKED: Final = re.compile(f"(?:^|{_END})(?:-o{_END}?|--output[={_END}])([^{_END}]*)")


class Commands(TyperGroup):
    """The whole command; typer itself has only words for what was typed wrongly."""

    def main(self, args: Sequence[str] | None = None, **options: Any) -> Any:  # type: ignore[override]
        """As typer's own, exit codes included."""
        for name in ("stdout", "stderr"):
            # None where who started us has closed it (`>&-`); a terminal may know ASCII alone.
            stream = getattr(sys, name) or Path(os.devnull).open("w")  # noqa: SIM115 - it stays
            setattr(sys, name, stream)
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        given = sys.argv[1:] if args is None else list(args)
        if not asks_for_json(given):
            return self._in_words(given, **options)
        try:
            sys.exit(super().main(given, **options | {"standalone_mode": False}))
        except typer.TyperException as error:
            wrong: Any = error
            step = f"{wrong.ctx.command_path} --help" if getattr(wrong, "ctx", None) else ""
            Here(DEFAULT_STATE, Output.JSON).explain(UsageProblem(wrong.format_message(), step))
            sys.exit(wrong.exit_code)

    def _in_words(self, given: Sequence[str], **options: Any) -> Any:
        try:
            return super().main(given, **options)
        except OSError as error:  # commands tell theirs themselves: this was a page of help
            Here(DEFAULT_STATE).explain(Problem(f"standard output: {error.strerror or error}"))
            sys.exit(FAILED)


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether a command line says so, even one that cannot be read as a whole."""
    options, _, _ = _END.join([*arguments, ""]).partition(f"{_END}--{_END}")
    return _ASKED.findall(options)[-1:] == [Output.JSON.value]
