"""One request is one trace, through every service and in every log, whoever began it."""

import json
import secrets
from pathlib import Path

import httpx2

from tests.end_to_end.conftest import RunningStack
from tests.end_to_end.typing_chenu import answer, title, until

SPANS = {
    ("gateway", "POST /api/v2/nova/query"),
    ("nova", "/chenu.nova.v1.RunService/ExecuteRun"),
    ("llm", "/chenu.llm.v1.CompletionService/Complete"),
    ("governance", "/chenu.governance.v1.AuthorizationService/AuthorizeActions"),
    ("threads", "/chenu.governance.v1.ExecutorService/ExecuteAction"),
}


def asked(stack: RunningStack, text: str, *, sampled: bool) -> str:
    """The trace id of a request over HTTP, which the client began."""
    trace = secrets.token_hex(16)
    token = answer(stack, "token")["token"]
    answered = httpx2.post(
        f"{stack.address('gateway')}/api/v2/nova/query",
        json={"text": text},
        headers={
            "authorization": f"Bearer {token}",
            "traceparent": f"00-{trace}-{secrets.token_hex(8)}-{'01' if sampled else '00'}",
        },
        timeout=30,
    )
    assert answered.status_code == 200, answered.text
    return trace


def collected(stack: RunningStack, trace: str) -> set[tuple[str, str]]:
    """The spans of a trace that have come so far: by whom, for what."""
    return {(span.service, span.name) for span in stack.collector.of(trace)}


def in_the_logs(stack: RunningStack, trace: str) -> None:
    """The log of each service tells of its call under the id of the trace."""
    for service, method in SPANS - {("gateway", "POST /api/v2/nova/query")}:
        log = stack.folder / "logs" / f"{service}.log"

        def told(log: Path = log, method: str = method) -> bool:
            whole = log.read_text().rpartition("\n")[0]
            entries = [json.loads(line) for line in whole.splitlines() if trace in line]
            assert all(entry["trace_id"] == trace for entry in entries)
            return method in {entry["method"] for entry in entries if entry["event"] == "call"}

        until(told)  # a line is written after its caller has the answer


def test_one_trace_goes_through_the_whole_fleet_and_its_logs(stack: RunningStack) -> None:
    trace = asked(stack, f"Create a thread called “{title()}”", sampled=True)
    until(lambda: collected(stack, trace) >= SPANS)
    spans = stack.collector.of(trace)
    by_id = {span.id: span for span in spans}
    (edge,) = [span for span in spans if span.service == "gateway"]
    for span in spans:  # every hop names the one before, up to the edge
        hop = span
        while hop is not edge:
            hop = by_id[hop.parent]
    in_the_logs(stack, trace)


def test_a_trace_that_its_client_does_not_keep_is_in_the_logs_alone(stack: RunningStack) -> None:
    trace = asked(stack, f"Create a thread called “{title()}”", sampled=False)
    kept = asked(stack, f"Create a thread called “{title()}”", sampled=True)
    until(lambda: collected(stack, kept) >= SPANS)
    assert not stack.collector.of(trace)
    in_the_logs(stack, trace)
