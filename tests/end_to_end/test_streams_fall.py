"""Services die while people watch: each stream says so, and goes on where it stopped."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx2

from tests.end_to_end.conftest import RunningStack
from tests.end_to_end.typing_chenu import killed, title, until

Told = tuple[str, str, dict[str, Any]]


def told(response: httpx2.Response) -> Iterator[Told]:
    """(event, id, data) of what comes of a stream."""
    event = {"id": ""}
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        event[name] = value
        if name == "data":
            yield event["event"], event["id"], json.loads(value)


def opened(http: httpx2.Client, path: str, last: str, seen: list[Told]) -> bool:
    """Whether the stream could be followed to an end that is none of an outage's."""
    with http.stream("GET", path, headers={"last-event-id": last} if last else {}) as response:
        if response.status_code == 200:
            seen += told(response)
            return not outage(seen)
        response.read()
        assert (response.status_code, response.json()["reason"]) == (503, "UNAVAILABLE")
        return False


def outage(seen: list[Told]) -> bool:
    """Whether the last that was told is that the service is away; that is then forgotten."""
    if not seen or seen[-1][0] != "error":
        return False
    problem = seen.pop()[2]
    assert (problem["status"], problem["reason"]) == (503, "UNAVAILABLE")
    assert "127.0.0.1" not in json.dumps(problem)
    return True


def test_a_run_is_watched_across_the_death_of_nova_without_a_gap_or_a_double(
    stack: RunningStack, http: httpx2.Client
) -> None:
    name, seen = title(), list[Told]()
    http.post("/api/v2/threads", json={"title": name, "founding_intent": "to be watched"})
    asked = {"text": f"Delete the thread “{name}”"}
    run = http.post("/api/v2/nova/runs", json=asked).json()["run"]["run_id"]
    path = f"/api/v2/nova/runs/{run}"
    with http.stream("GET", f"{path}/watch") as response:
        stream = told(response)
        while not seen or seen[-1][0] != "pipeline.blocked":
            seen.append(next(stream))
        killed(stack, "nova")
        seen += stream
    assert outage(seen)
    until(lambda: http.post(f"{path}/cancel", json={}).status_code == 200)
    until(lambda: opened(http, f"{path}/watch", seen[-1][1], seen))
    assert [int(number) for _, number, _ in seen] == list(range(1, len(seen) + 1))
    assert (seen[0][0], seen[-1][0]) == ("pipeline.start", "pipeline.error")


def test_a_thread_is_watched_across_the_death_of_threads_without_a_gap_or_a_double(
    stack: RunningStack, http: httpx2.Client
) -> None:
    body, seen = {"title": title(), "founding_intent": "to be watched"}, list[Told]()
    made = http.post("/api/v2/threads", json=body).json()["thread"]["thread_id"]
    thread = f"/api/v2/threads/{made}"

    def say(text: str) -> bool:
        sent = {"content": text, "request_id": asked[text]}
        return http.post(f"{thread}/messages", json=sent).status_code == 200

    asked = {text: str(uuid4()) for text in ("before", "after")}
    with http.stream("GET", f"{thread}/watch") as response:
        stream = told(response)
        seen.append(next(stream))
        assert say("before")
        seen.append(next(stream))
        killed(stack, "threads")
        seen += stream
    assert outage(seen)
    until(lambda: say("after"))
    with http.stream("GET", f"{thread}/watch", headers={"last-event-id": seen[-1][1]}) as response:
        seen.append(next(told(response)))
    assert [int(number) for _, number, _ in seen] == [1, 2, 3]
