"""A nova that dies at a place: as by kill -9, right after a step of a run was taken.

await stage.restart("nova", **after(Place("lanes.planning:Planner.ask"), run_text_holds="Garden"))
"""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

_VARIABLE: Final = "TESTS_DIE_AFTER"


@dataclass(frozen=True)
class Place:
    """A step of nova's code, `module:Class.method`, and which time that the run takes it."""

    step: str
    time: int = 1


def after(place: Place, *, run_text_holds: str) -> Mapping[str, str]:
    """What the process has to be told."""
    return {_VARIABLE: f"{place.step} {place.time} {run_text_holds}"}


def obey(environment: Mapping[str, str]) -> None:
    """In the process that is to die: see that it does, if it is told to."""
    if _VARIABLE not in environment:
        return
    step, time, marker = environment[_VARIABLE].split(" ", 2)
    module, path = step.split(":")
    owner, method = path.split(".")
    holder = getattr(import_module(f"services.nova.{module}"), owner)
    take, times = getattr(holder, method), 0

    async def take_and_die(self: Any, record: Any, *given: Any, **named: Any) -> Any:
        nonlocal times
        answer = await take(self, record, *given, **named)
        times += marker in record.run.text
        if times == int(time):
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(holder, method, take_and_die)
