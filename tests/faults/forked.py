"""A service's process as a fork of one that has all modules: it serves after a tenth of a second.

Importing them is most of what a start costs, and the tests of faults start some fifty processes.
"""

import os
import signal
from collections.abc import Mapping
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from typing import Final

from deploy.local.launch import die_with
from deploy.local.processes import ServiceProcess
from deploy.local.server import refuse_taken_port
from kernel.service import main
from tests.faults.dying import obey

SERVICES: Final = ("identity", "threads", "courier", "governance", "audit", "llm", "nova")
_FORKING: Final = get_context("forkserver")
_FORKING.set_forkserver_preload([f"services.{name}.__main__" for name in SERVICES] + [__name__])


class ForkedService(ServiceProcess):
    """What `python -m services.<name>` would be, without its imports."""

    _forked: ForkServerProcess | None = None

    def begin(self, *, detached: bool = False) -> None:
        """Fork it; it ends with us, so it is never detached."""
        assert not detached
        refuse_taken_port(self.name, self.port)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        serving = (self.name, str(self.log), dict(self.environment))
        self._forked = _FORKING.Process(target=_serve, args=serving, daemon=True)
        self._forked.start()

    def running(self) -> bool:
        """Whether the process is there."""
        return self._forked is not None and self._forked.is_alive()

    def pid(self) -> int | None:
        """Its process id, or that of its last life."""
        return self._forked.pid if self._forked else None

    def _ended(self) -> bool:
        return not self.running()


def _serve(name: str, log: str, environment: Mapping[str, str]) -> None:
    die_with(os.getppid(), signal.SIGTERM)
    os.setsid()
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    # As an exec would: among them is what keeps the server of forks, whose death is ours, alive.
    os.closerange(3, 256)
    os.environ.clear()
    os.environ.update(environment)
    obey(environment)
    main(import_module(f"services.{name}.__main__").PROGRAM)
