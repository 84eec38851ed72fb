"""The gateway dies while people wait at it: they lose a connection, and nothing else."""

import contextlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.end_to_end.conftest import RunningStack
from tests.end_to_end.typing_chenu import killed, title, until
from tests.faults.proof import scripted

SLOW, SLOWER = 1500, 5000


def create(name: str) -> tuple[str, dict[str, str]]:
    return "thread_create", {"title": name, "founding_intent": "to outlive the gateway"}


def events(response: httpx2.Response) -> Iterator[dict[str, Any]]:
    """What comes of a stream."""
    for line in response.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line[6:])["event"]


def restarted(stack: RunningStack) -> None:
    """Killed, and until another one serves."""
    killed(stack, "gateway")

    def serves() -> bool:
        with contextlib.suppress(httpx2.TransportError):
            health = httpx2.get(f"{stack.address('gateway')}/health", timeout=1)
            return health.status_code == 200
        return False

    until(serves)


def watched(
    stack: RunningStack, http: httpx2.Client, text: str, seen: list[dict[str, Any]]
) -> None:
    """Ask, and watch what comes; the gateway dies after the first event."""
    with http.stream("GET", "/api/v2/nova/query/stream", params={"text": text}) as response:
        for event in events(response):
            seen.append(event)
            if len(seen) == 1:
                restarted(stack)


def test_a_gateway_killed_in_the_middle_costs_its_clients_a_connection_and_nothing_else(
    stack: RunningStack, http: httpx2.Client
) -> None:
    streamed, waited, asked = title(), title(), str(uuid4())
    query = {
        "text": scripted([create(waited)], slow=SLOWER),
        "request_id": asked,
    }
    seen: list[dict[str, Any]] = []
    with ThreadPoolExecutor() as beside:
        waiting = beside.submit(http.post, "/api/v2/nova/query", json=query)
        text = scripted([create(streamed)], slow=SLOW)
        with pytest.raises(httpx2.TransportError):
            watched(stack, http, text, seen)
        with pytest.raises(httpx2.TransportError):
            waiting.result()
    (run,) = [
        run for run in http.get("/api/v2/nova/history").json()["runs"] if streamed in run["text"]
    ]
    last = str(seen[-1]["sequence_number"])
    watch = f"/api/v2/nova/runs/{run['run_id']}/watch"
    with http.stream("GET", watch, headers={"last-event-id": last}) as response:
        seen += events(response)
    assert [int(event["sequence_number"]) for event in seen] == list(range(1, len(seen) + 1))
    assert [seen[0]["type"], seen[-1]["type"]] == ["pipeline.start", "pipeline.complete"]
    again = http.post("/api/v2/nova/query", json=query)  # the same request, the same run
    assert again.status_code == 200, again.text
    titles = [thread["title"] for thread in http.get("/api/v2/threads").json()["threads"]]
    assert (titles.count(streamed), titles.count(waited)) == (1, 1)
