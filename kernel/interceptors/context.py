"""Opens the call's context: request id, deadline, trace, peer."""

import re
import time
from typing import Any, Final
from urllib.parse import unquote

from kernel import telemetry
from kernel.context import CallContext, enter, new_id
from kernel.interceptors.method import Handler, Method, ServicerContext

_REQUEST_ID: Final = re.compile(r"[0-9A-Za-z._-]{1,64}")


def open_context(method: Method, inner: Handler) -> Handler:
    """Everything inside may ask `kernel.context.current()`."""
    name = method.name

    async def handle(request: Any, context: ServicerContext) -> Any:
        incoming: Any = context.invocation_metadata() or ()
        metadata: dict[str, str | bytes] = dict(incoming)
        remaining: Any = context.time_remaining()  # None where the client set no deadline
        request_id = str(metadata.get("x-request-id", ""))
        with telemetry.server_span(name, metadata):
            call = CallContext(
                name,
                request_id=request_id if _REQUEST_ID.fullmatch(request_id) else new_id(),
                peer_ip=_ip(context.peer()),
                user_agent=str(metadata.get("user-agent", "")),
                deadline=None if remaining is None else time.monotonic() + remaining,
                metadata=metadata,
            )
            enter(call)
            return await inner(request, context)

    return handle


def _ip(peer: str) -> str:
    """`ipv4:10.0.0.1:5001` and `ipv6:%5B::1%5D:5001` without scheme and port."""
    return unquote(peer.partition(":")[2].rpartition(":")[0]).strip("[]")
