"""What is known of the call in hand, without passing it through every function.

call = current()                       # LookupError outside of a call
log.info("archived", thread=thread_id)  # request and trace ids are added
with background("threads.sweeper", caller=Caller.system()): ...
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from opentelemetry import trace
from uuid_utils import uuid7

from kernel.caller import Caller

_current: ContextVar["CallContext"] = ContextVar("chenu_call")
_SYSTEM: Final = Caller.system()


def new_id() -> str:
    """A UUIDv7: ids of one process are ordered by time."""
    return str(uuid7())


def _current_trace() -> str:
    span = trace.get_current_span().get_span_context()
    return f"{span.trace_id:032x}" if span.trace_id else ""


@dataclass(slots=True)
class CallContext:
    """One call, or one piece of background work; `caller` is set by authentication."""

    method: str
    request_id: str = field(default_factory=new_id)
    caller: Caller = _SYSTEM
    trace_id: str = field(default_factory=_current_trace)
    """The W3C trace id, empty where no trace runs."""
    peer_ip: str = ""
    user_agent: str = ""
    deadline: float | None = None
    metadata: Mapping[str, str | bytes] = field(default_factory=dict)
    code: str = "OK"
    reason: str = ""

    def remaining(self) -> float | None:
        """Seconds until the deadline; None where there is none."""
        return None if self.deadline is None else self.deadline - time.monotonic()


def current() -> CallContext:
    """The call in hand; raises LookupError outside of one."""
    return _current.get()


def call_in_hand() -> CallContext | None:
    """The call in hand; None outside of one."""
    return _current.get(None)


def enter(call: CallContext) -> None:
    """Make `call` current for the rest of this task."""
    _current.set(call)


@contextmanager
def background(name: str, caller: Caller | None = None) -> Iterator[CallContext]:
    """Open a context for work that no RPC asked for; `name` stands as its method."""
    token = _current.set(CallContext(name, caller=caller or Caller.system()))
    try:
        yield _current.get()
    finally:
        _current.reset(token)
