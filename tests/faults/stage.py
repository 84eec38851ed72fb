"""The whole fleet as real processes that nobody watches over: what falls stays down until raised.

await stage.kill("threads")        # as by kill -9
await stage.start("threads")       # again, on the same port; further variables as keywords
stage.backends.postgres.kill()     # the servers beneath, likewise
"""

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from deploy.local.backends import Backends
from tests.faults.forked import SERVICES, ForkedService
from tests.support.fleet import Fleet

T = TypeVar("T")


class Stage(Fleet):
    """A fleet whose services are processes, and the servers that they stand on."""

    def __init__(self, environment: Mapping[str, str], state: Path, backends: Backends) -> None:
        super().__init__(environment)
        self.state, self.backends = state, backends
        self._processes: dict[str, ForkedService] = {}

    async def __aenter__(self) -> "Stage":
        await self.start(*SERVICES)
        return self

    async def __aexit__(self, *_: object) -> None:
        for channel in self._channels.values():
            await channel.close()
        for process in self._processes.values():
            process.signal_stop()
        for process in self._processes.values():
            process.stop()

    async def start(self, *names: str, **changes: str) -> None:
        """Start services and wait until they serve; `changes` hold for this life of theirs."""
        for name in names:
            await self._forget_channel(name)
            port = int(self.address(name).rpartition(":")[2])
            environment = self._environment | changes
            self._processes[name] = ForkedService(name, self.state, port, environment)
            self._processes[name].begin()
        for name in names:
            self._processes[name].wait_until_ready()

    async def kill(self, *names: str) -> None:
        """End services as a crash would: nothing of theirs is said good-bye to."""
        for name in names:
            self._processes[name].kill()
            await self._forget_channel(name)

    async def restart(self, *names: str, **changes: str) -> None:
        """Kill services and start them again."""
        await self.kill(*names)
        await self.start(*names, **changes)

    async def fallen(self, name: str) -> bool:
        """Whether a service has died by itself."""
        return not self._processes[name].running()

    def freeze(self, name: str) -> None:
        """Let a service stand still where it is; `thaw` lets it go on."""
        os.kill(self._pid(name), signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """The other half of `freeze`."""
        os.kill(self._pid(name), signal.SIGCONT)

    def _pid(self, name: str) -> int:
        pid = self._processes[name].pid()
        assert pid is not None
        return pid

    async def _forget_channel(self, name: str) -> None:
        """A channel that was refused waits before it tries again; a new one does not."""
        if name in self._channels:
            await self._channels.pop(name).close()
