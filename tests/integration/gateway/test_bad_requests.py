"""Requests that are said badly are refused with what is wrong, before any service is asked."""

from uuid import uuid4

import httpx2
import pytest


async def test_a_missing_or_forged_token_is_401(http: httpx2.AsyncClient) -> None:
    unsendable = ("Bearer \xe9", "Bearer a\tb", "Bearer a\x7fb")  # by gRPC, that is
    for sent in ("", "Bearer forged", "Basic eDp5", *unsendable):
        answer = await http.get(
            "/api/v2/threads", headers={b"authorization": sent.encode("latin1")}
        )
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_body_that_is_too_large_or_no_json_is_refused(
    logged_in: httpx2.AsyncClient,
) -> None:
    answer = await logged_in.post("/api/v2/nova/query", content=b"x" * (10 << 20))
    assert answer.status_code == 413
    doubled = b'{"text": "Create a thread", "text": "Delete a thread"}'
    half_a_character = (b'{"mode": "\\ud800"}', b'{"\\ud800": 1}', b'{"\\ud800": 1, "\\ud800": 1}')
    bad = (b"{", b"\xff\xfe", b'{"text": NaN}', b"[" * 5000, doubled, *half_a_character)
    for content in bad:
        answer = await logged_in.post("/api/v2/nova/query", content=content)
        assert answer.status_code == 400, content


async def test_a_field_is_said_in_one_place_only(logged_in: httpx2.AsyncClient) -> None:
    thread = {"title": "t", "founding_intent": "i", "tags": "garden"}
    for path, body in (
        ("/api/v2/threads?title=u", thread | {"tags": []}),
        ("/api/v2/threads?tags=garden", thread),
        (f"/api/v2/endpoints/{uuid4()}?endpoint.url=x", {"endpoint": 5}),
        (f"/api/v2/endpoints/{uuid4()}?endpoint.url=x", {"endpoint": None}),
    ):
        verb = "PATCH" if "endpoints" in path else "POST"
        answer = await logged_in.request(verb, path, json=body)
        assert (answer.status_code, answer.json()["detail"]) == (400, "the field is given twice")


async def test_a_path_names_all_its_verbs_and_sends_nobody_elsewhere(
    http: httpx2.AsyncClient,
) -> None:
    wrong = await http.delete("/api/v2/threads")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD, POST")
    slashed = await http.get("/api/v2/threads/", headers={"host": "elsewhere.example"})
    assert (slashed.status_code, slashed.headers.get("location")) == (404, None)
    assert slashed.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["login", "register"])
async def test_a_page_of_another_site_logs_nobody_in(http: httpx2.AsyncClient, path: str) -> None:
    cross, page = {"Sec-Fetch-Site": "cross-site"}, "http://localhost:3000"
    url = f"/api/v2/auth/{path}"
    for origin in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        refused = await http.post(url, content="{}", headers=cross | origin)
        assert (refused.status_code, refused.json()["reason"]) == (403, "ORIGIN_NOT_ALLOWED")
        assert "set-cookie" not in refused.headers
    for allowed in (cross | {"Origin": page}, {"Sec-Fetch-Site": "same-origin"}, {}):
        asked = await http.post(url, content="{}", headers=allowed)
        assert asked.json()["reason"] != "ORIGIN_NOT_ALLOWED"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3001"])
async def test_a_page_of_an_origin_that_is_not_named_may_read_nothing(
    http: httpx2.AsyncClient, origin: str
) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    preflight = await http.options("/api/v2/threads", headers=asked)
    plain = await http.get("/health", headers={"Origin": origin})
    assert preflight.status_code == 400
    for answer in (preflight, plain):
        assert "access-control-allow-origin" not in answer.headers
