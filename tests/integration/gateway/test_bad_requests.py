"""Requests that are said badly are refused with what is wrong, before any service is asked."""

from uuid import uuid4

import httpx2


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
