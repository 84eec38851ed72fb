"""Logs, traces and metrics: set up once per process, then only used.

configure(shared, "threads")
log = structlog.get_logger(component="threads")
log.info("archived", thread=thread_id)      # request_id and trace_id are added
EVENTS = Counter("chenu_thread_events_total", "...")   # prometheus_client, as it is
"""

import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

import structlog
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter, Gauge, Histogram, start_http_server

from kernel.context import call_in_hand
from kernel.settings import SharedSettings

CALLS: Final = Counter("chenu_calls", "Calls served, by method and code", ["method", "code"])
SECONDS: Final = Histogram("chenu_call_seconds", "Time in the handler", ["method"])
UNRELEASED: Final = Gauge("chenu_outbox_unreleased", "Events without a receipt", ["service"])
PUBLISHED: Final = Gauge("chenu_relay_published_number", "Newest published bundle", ["service"])
RELEASED: Final = Gauge("chenu_relay_released_number", "Newest released bundle", ["service"])

REDACTED: Final = "[redacted]"
_SECRET: Final = re.compile("authorization|token|password|secret|cookie|private_key|api_key")
_W3C: Final = TraceContextTextMapPropagator()
_tracer: Final = trace.get_tracer("chenu")
Event = MutableMapping[str, Any]


def configure(shared: SharedSettings, name: str) -> None:
    """Set up logging and tracing for this process; the last call counts."""
    _configure_logs(shared)
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(shared.trace_ratio)),
        resource=Resource.create({"service.name": name}),
    )
    if endpoint := shared.otlp_endpoint:
        # Here: it takes 50 ms of every start, and few send their traces anywhere.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    if path := shared.trace_file:
        out = sys.stderr if str(path) == "-" else path.open("a", buffering=1)
        lines = ConsoleSpanExporter(out=out, formatter=lambda s: s.to_json(indent=None) + "\n")
        provider.add_span_processor(BatchSpanProcessor(lines))
    trace.set_tracer_provider(provider)


def serve_metrics(listen: str) -> Callable[[], None]:
    """Serve Prometheus on `host:port`; returns what stops it."""
    host, _, port = listen.rpartition(":")
    server, thread = start_http_server(int(port), host or "127.0.0.1")

    def stop() -> None:
        server.shutdown()
        thread.join()
        server.server_close()

    return stop


@contextmanager
def server_span(name: str, metadata: Mapping[str, Any]) -> Iterator[None]:
    """A span under the caller's trace context, current until it ends."""
    parent = _W3C.extract(metadata) if "traceparent" in metadata else None
    span = trace.get_current_span(parent)
    caller = span.get_span_context()
    # In a trace that nobody records, the caller's own context is passed on as it came.
    if not caller.is_valid or caller.trace_flags.sampled:
        span = _tracer.start_span(name, context=parent, kind=trace.SpanKind.SERVER)
    with trace.use_span(span, end_on_exit=True):
        yield


def trace_headers() -> dict[str, str]:
    """`traceparent` and `tracestate` of the span in hand, for the next hop."""
    headers: dict[str, str] = {}
    _W3C.inject(headers)
    return headers


def call_observer(method: str) -> Callable[[str, float], None]:
    """What counts a call of this method, without a label lookup per call."""
    seconds, counts = SECONDS.labels(method), {"OK": CALLS.labels(method, "OK")}

    def observe(code: str, took: float) -> None:
        if code not in counts:
            counts[code] = CALLS.labels(method, code)
        counts[code].inc()
        seconds.observe(took)

    return observe


def redact(_logger: object, _name: str, event: Event) -> Event:
    """Replace what a key, or the look of a value, tells to be a secret."""
    for key, value in event.items():
        event[key] = _redacted(key, value)
    return event


def drop_peer(_logger: object, _name: str, event: Event) -> Event:
    """Leave out from where a call came."""
    event.pop("peer", None)
    return event


def _redacted(key: str, value: Any) -> Any:
    if _is_secret(key):
        return REDACTED
    if isinstance(value, str):
        return REDACTED if value.startswith(("eyJ", "Bearer ")) else value
    if isinstance(value, dict):
        return {k: _redacted(str(k), v) for k, v in value.items()}
    return value


@lru_cache(maxsize=1024)
def _is_secret(key: str) -> bool:
    return bool(_SECRET.search(key.lower()))


def add_call(_logger: object, _name: str, event: Event) -> Event:
    """Add the ids of the call in hand to a log line."""
    call = call_in_hand()
    if call is None:
        return event
    event.setdefault("request_id", call.request_id)
    if call.trace_id:
        event.setdefault("trace_id", call.trace_id)
    return event


def _configure_logs(shared: SharedSettings) -> None:
    level = getattr(logging, shared.log_level.upper())
    console = shared.log_format == "console"
    shared_processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_call,
        redact,
        *([] if shared.log_peers else [drop_peer]),
        *([] if console else [structlog.processors.format_exc_info]),
    ]
    renderer = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if console
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared_processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared_processors)
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
