"""One structured line and one count per call, with the status that the client got."""

import time
from typing import Any, Final

import structlog

from kernel import telemetry
from kernel.context import current
from kernel.interceptors.method import Handler, Method, ServicerContext

_log: Final = structlog.get_logger(component="access")


def log_access(method: Method, inner: Handler) -> Handler:
    """Logs what error mapping noted on the call; a cancelled call is logged as such."""
    observe = telemetry.call_observer(method.name)

    async def handle(request: Any, context: ServicerContext) -> Any:
        call, started = current(), time.perf_counter()
        try:
            return await inner(request, context)
        finally:
            seconds = time.perf_counter() - started
            observe(call.code, seconds)
            _log.info(
                "call",
                method=call.method,
                code=call.code,
                reason=call.reason,
                ms=round(seconds * 1000, 2),
                principal=call.caller.principal,
                service=call.caller.service,
                peer=call.peer_ip,
            )

    return handle
