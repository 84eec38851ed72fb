"""What is known of the call in hand, without passing it through every function.

call = current()                       # LookupError outside of a call
log.info("archived", thread=thread_id)  # request and trace ids are added
with background("threads.sweeper", caller=Caller.system()): ...
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from uuid_utils import uuid7

from kernel.caller import Caller

_current: ContextVar["CallContext"] = ContextVar("chenu_call")


class CallContext:
    """One call, or one piece of background work; `caller` is set by authentication."""

    __slots__ = ("caller", "code", "deadline", "metadata", "method", "peer_ip", "reason", "request_id", "trace", "user_agent")  # fmt: skip  # noqa: E501

    def __init__(
        self,
        method: str,
        *,
        request_id: str = "",
        caller: Caller | None = None,
        trace: Context | None = None,
        peer_ip: str = "",
        user_agent: str = "",
        deadline: float | None = None,
        metadata: Mapping[str, str | bytes] | None = None,
    ) -> None:
        self.method: Final = method
        self.request_id: Final = request_id or new_id()
        self.caller = caller if caller is not None else _ANONYMOUS
        self.trace: Final = trace
        self.peer_ip: Final = peer_ip
        self.user_agent: Final = user_agent
        self.deadline: Final = deadline
        self.metadata: Final = metadata or {}
        self.code = "OK"
        self.reason = ""

    def remaining(self) -> float | None:
        """Seconds until the deadline; None where there is none."""
        return None if self.deadline is None else self.deadline - time.monotonic()

    @property
    def trace_id(self) -> str:
        """The W3C trace id, empty where no trace runs."""
        span = trace.get_current_span(self.trace).get_span_context()
        return f"{span.trace_id:032x}" if span.trace_id else ""


_ANONYMOUS: Final = Caller.system()


def new_id() -> str:
    """A UUIDv7: ids of one process are ordered by time."""
    return str(uuid7())


def current() -> CallContext:
    """The call in hand; raises LookupError outside of one."""
    return _current.get()


def enter(call: CallContext) -> None:
    """Make `call` current for the rest of this task."""
    _current.set(call)


@contextmanager
def background(name: str, caller: Caller | None = None) -> Iterator[CallContext]:
    """Open a context for work that no RPC asked for; `name` stands as its method."""
    token = _current.set(CallContext(name, caller=caller))
    try:
        yield _current.get()
    finally:
        _current.reset(token)
