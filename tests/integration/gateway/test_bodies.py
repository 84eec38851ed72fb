"""What a body may be: JSON in UTF-8 as it is, each field once, and only where one is taken."""

import gzip
import json
from uuid import uuid4

import httpx2
import pytest

THREADS = "/api/v2/threads"
FINE = json.dumps({"title": "Fine", "founding_intent": "to be read"}).encode()


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
async def test_a_compressed_body_is_415_and_says_what_is_taken(
    logged_in: httpx2.AsyncClient, coding: str
) -> None:
    for path in (THREADS, "/decide", "/api/v2/slack/interactions"):
        sent = {"content-encoding": coding}
        answer = await logged_in.post(path, content=gzip.compress(FINE), headers=sent)
        assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity"), path
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain", "application/x-www-form-urlencoded", "nonsense",
        "multipart/form-data; boundary=x", "application/json; charset=iso-8859-1",
        "application/json; charset=utf-16",
    ],
)  # fmt: skip
async def test_a_body_that_says_it_is_something_else_than_json_in_utf_8_is_415(
    logged_in: httpx2.AsyncClient, kind: str
) -> None:
    answer = await logged_in.post(THREADS, content=FINE, headers={"content-type": kind})
    assert (answer.status_code, answer.headers["accept"]) == (415, "application/json")
    empty = await logged_in.post(
        f"/api/v2/threads/{uuid4()}/archive", headers={"content-type": kind}
    )
    assert empty.status_code == 403  # nothing was to be read


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"content-type": "application/json"}, {"content-encoding": "identity"},
        {"content-type": 'Application/JSON; charset="UTF-8"'},
        {"content-type": "application/merge-patch+json"},
    ],
)  # fmt: skip
async def test_json_in_utf_8_is_read(
    logged_in: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    for body in (FINE, b"\xef\xbb\xbf" + FINE):
        answer = await logged_in.post(THREADS, content=body, headers=headers)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "body",
    [
        FINE.decode().encode("utf-16"), FINE.decode().encode("utf-32-le"),
        b'{"title": "t", "founding_intent": "i", "kind": 1e400}',
        b'{"title": "t", "founding_intent": "i", "kind": -1e400}',
        b'{"title": "t", "founding_intent": "a", "foundingIntent": "b"}',
        b'{"title": "t", "foundingIntent": "b"}',
        b'{"title": "t", "founding_intent": "i", "kind": 1099511627776}',
        b'{"title": "t", "founding_intent": "i", "tags": [null]}',
        b'{"title": null, "founding_intent": "i"}',
    ],
)  # fmt: skip
async def test_what_readers_could_differ_about_is_400(
    logged_in: httpx2.AsyncClient, body: bytes
) -> None:
    answer = await logged_in.post(THREADS, content=body)
    assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_REQUEST"), answer.text


@pytest.mark.parametrize("version", ["1", 1, 1.0])
async def test_a_number_of_64_bits_is_read_as_number_and_as_string(
    logged_in: httpx2.AsyncClient, version: object
) -> None:
    body = {"expected_version": version}
    answer = await logged_in.post(f"{THREADS}/{uuid4()}/events", json=body)
    fields = [violation["field"] for violation in answer.json()["violations"]]
    assert (answer.status_code, fields) == (400, ["type"])


@pytest.mark.parametrize("verb", ["GET", "DELETE"])
async def test_a_body_where_none_is_taken_is_refused_instead_of_unheard(
    logged_in: httpx2.AsyncClient, verb: str
) -> None:
    thread = (await logged_in.post(THREADS, content=FINE)).json()["thread"]
    path = f"{THREADS}/{thread['thread_id']}"
    unheard = await logged_in.request(verb, path, json={"request_id": str(uuid4())})
    assert (unheard.status_code, unheard.json()["reason"]) == (400, "INVALID_REQUEST")
    empty = await logged_in.request(verb, path, headers={"content-length": "0"})
    assert empty.status_code == 200


@pytest.mark.parametrize("path", ["nova/query/stream?text=Hi", "threads/any/watch", "audit/export"])
async def test_nobody_opens_a_stream_to_look_at_its_head(
    logged_in: httpx2.AsyncClient, path: str
) -> None:
    answer = await logged_in.head(f"/api/v2/{path}")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert (await logged_in.get("/api/v2/nova/history")).json()["runs"] == []
