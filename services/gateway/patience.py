"""uvicorn's HTTP protocol, which nobody can hold open by being slow.

uvicorn bounds how long a connection may say nothing between two requests, and neither how long
the head of a request may take nor how long a client may leave an answer unread.
"""

import asyncio
from typing import Any, Final

from services.gateway.problem_protocol import ProblemProtocol

HEAD_SECONDS: Final = 10.0
"""How long a request's head may take, from the connection's first moment or the answer before."""
UNREAD_SECONDS: Final = 60.0
"""How long a client may take nothing of an answer, once it is more than the system keeps for it."""


class PatientProtocol(ProblemProtocol):
    """One connection; it ends without a word where its client is too slow."""

    _head: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """The first head is awaited."""
        super().connection_made(transport)
        self._look()

    def data_received(self, data: bytes) -> None:
        """Part of a head or of a body; perhaps the head is whole now."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """The next head is awaited; what still comes of the last body is no excuse."""
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        """More is unread than the buffers should hold."""
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        """It is being read; the rest is awaited too where nothing follows it."""
        super().resume_writing()
        self._read()
        if self.transport.is_closing():
            self._await_reader()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        super().connection_lost(exc)
        self._asked()
        self._read()

    def _look(self) -> None:
        cycle: Any = self.cycle  # None before the first
        if cycle and not cycle.response_complete:
            self._asked()
        elif self._head is None:
            self._head = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _asked(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _give_up(self) -> None:
        self.transport.close()  # once what it was answered before has been read
        self._await_reader()

    def _await_reader(self) -> None:
        left = self.transport.get_write_buffer_size()
        if left and self._unread is None:
            self._unread = self.loop.call_later(UNREAD_SECONDS, self._look_at_reader, left)

    def _look_at_reader(self, before: int) -> None:
        self._unread = None
        if self.transport.get_write_buffer_size() >= before:
            self.transport.abort()
        else:
            self._await_reader()
