"""What every call passes before it reaches a servicer, and in which order.

An interceptor is a function `wrap(method, inner) -> handler`; handlers are
coroutine functions `(request, grpc_context)` for all four kinds of RPC: a
streaming answer is written to the context, a streaming request is an iterator.
They are composed once, when a servicer is added, so a call pays for no lookup.
"""

from collections.abc import Sequence
from typing import Final

from kernel.interceptors.access_log import log_access
from kernel.interceptors.authentication import authenticate
from kernel.interceptors.context import open_context
from kernel.interceptors.error_mapping import map_errors
from kernel.interceptors.method import Handler, Interceptor, Method, grpc_handler, innermost
from kernel.interceptors.validation import validate

CHAIN: Final[Sequence[Interceptor]] = (
    open_context,  # first: every later line logs the request id
    log_access,  # outside of error mapping: it records the status that the client gets
    map_errors,  # outside of all that refuses: refusals too become ErrorInfo, and are audited
    authenticate,  # before validation: an anonymous caller learns nothing about the contract
    validate,  # last: a use case never sees bytes that break the contract
)

__all__ = ["CHAIN", "Handler", "Method", "compose", "grpc_handler"]


def compose(method: Method) -> Handler:
    """The servicer's method inside the whole chain."""
    handler = innermost(method)
    for interceptor in reversed(CHAIN):
        handler = interceptor(method, handler)
    return handler
