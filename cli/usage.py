"""Wrong usage, told to programs as every other failure is; typer itself only has words for it."""

import re
import sys
from collections.abc import Sequence
from typing import Any, Final

import typer
from typer.core import TyperGroup

from cli.command import DEFAULT_STATE
from cli.here import Here, Output
from cli.problems import UsageProblem

_END: Final = "\0"
_ASKED: Final = re.compile(f"(?:^|{_END})(?:-o{_END}?|--output[={_END}])([^{_END}]*)")


class Commands(TyperGroup):
    """The whole command; with `--output json` what was typed wrongly is JSON on standard error."""

    def main(self, args: Sequence[str] | None = None, **options: Any) -> Any:  # type: ignore[override]
        """As typer's own, exit codes included."""
        given = sys.argv[1:] if args is None else list(args)
        if not asks_for_json(given):
            return super().main(given, **options)
        try:
            sys.exit(super().main(given, **options | {"standalone_mode": False}))
        except typer.TyperException as error:
            wrong: Any = error
            step = f"{wrong.ctx.command_path} --help" if getattr(wrong, "ctx", None) else ""
            Here(DEFAULT_STATE, Output.JSON).explain(UsageProblem(wrong.format_message(), step))
            sys.exit(wrong.exit_code)


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether a command line says so, even one that cannot be read as a whole."""
    options, _, _ = _END.join([*arguments, ""]).partition(f"{_END}--{_END}")
    return _ASKED.findall(options)[-1:] == [Output.JSON.value]
