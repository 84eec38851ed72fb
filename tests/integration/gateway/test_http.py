"""The same contracts over HTTP: JSON in, JSON out, problems with a reason, 423 for a block."""

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import httpx2
import pytest

from tests.support.fleet import Client


async def blocked(http: httpx2.AsyncClient, title: str) -> httpx2.Response:
    answer = await http.post(
        "/api/v2/threads", json={"title": title, "founding_intent": "to be deleted"}
    )
    assert answer.status_code == 200, answer.text
    return await http.post("/api/v2/nova/query", json={"text": f"Delete the thread “{title}”"})


async def test_a_query_answers_the_run(logged_in: httpx2.AsyncClient) -> None:
    answer = await logged_in.post(
        "/api/v2/nova/query", json={"text": "Create a thread called “Web garden”"}
    )
    assert answer.status_code == 200, answer.text
    run = answer.json()["run"]
    assert run["state"] == "RUN_STATE_SUCCEEDED"
    assert run["intent"]["requires_checkpoint"] is False
    listed = (await logged_in.get("/api/v2/threads?include_total=true")).json()
    assert [t["title"] for t in listed["threads"]] == ["Web garden"]
    status = await logged_in.get(f"/api/v2/nova/status/{run['run_id']}")
    assert status.json()["run"]["answer"] == run["answer"]
    history = (await logged_in.get("/api/v2/nova/history")).json()
    assert [r["run_id"] for r in history["runs"]] == [run["run_id"]]


async def test_a_block_is_423_with_what_to_decide_and_where(logged_in: httpx2.AsyncClient) -> None:
    answer = await blocked(logged_in, "Doomed")
    assert answer.status_code == 423
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    for member in ("checkpoint_id", "action", "question", "options", "expires_at"):
        assert problem[member], member
    assert problem["checkpoints"][0]["checkpoint_id"] == problem["checkpoint_id"]
    assert answer.headers["location"].endswith(problem["checkpoint_id"])
    assert answer.headers["retry-after"]
    checkpoint = (await logged_in.get(answer.headers["location"])).json()["checkpoint"]
    assert "Doomed" in checkpoint["view"]


async def test_a_person_approves_with_the_cookie_and_the_run_goes_on(
    logged_in: httpx2.AsyncClient,
) -> None:
    problem = (await blocked(logged_in, "Approved over HTTP")).json()
    path = f"/api/v2/checkpoints/{problem['checkpoint_id']}"
    etag = (await logged_in.get(path)).headers["etag"]
    answer = await logged_in.post(
        f"{path}/resolve", json={"option_id": "approve"}, headers={"if-match": etag}
    )
    assert answer.status_code == 200, answer.text
    run = await logged_in.post(f"/api/v2/nova/continue/{problem['run_id']}", json={})
    assert run.json()["run"]["state"] == "RUN_STATE_SUCCEEDED"


async def test_an_access_token_alone_cannot_vote(logged_in: httpx2.AsyncClient) -> None:
    problem = (await blocked(logged_in, "Not by token")).json()
    path = f"/api/v2/checkpoints/{problem['checkpoint_id']}"
    etag = (await logged_in.get(path)).json()["checkpoint"]["etag"]
    logged_in.cookies.clear()
    answer = await logged_in.post(f"{path}/approve", json={"etag": etag})
    assert answer.status_code == 401
    assert answer.json()["reason"] == "SESSION_REQUIRED"


async def test_a_cookie_without_the_csrf_token_cannot_vote(logged_in: httpx2.AsyncClient) -> None:
    problem = (await blocked(logged_in, "Not by a strange page")).json()
    path = f"/api/v2/checkpoints/{problem['checkpoint_id']}"
    etag = (await logged_in.get(path)).json()["checkpoint"]["etag"]
    for strange in (b"0" * 32, "é".encode(), b"\xff", b""):
        answer = await logged_in.post(
            f"{path}/approve", json={"etag": etag}, headers={b"x-csrf-token": strange}
        )
        assert answer.status_code == 401, strange
        assert answer.json()["reason"] == "CSRF_TOKEN_INVALID"


async def test_the_session_secret_is_never_in_a_body(http: httpx2.AsyncClient) -> None:
    answer = await http.post(
        "/api/v2/auth/register",
        json={
            "email": f"{uuid4()}@chenu.example",
            "password": "long-enough-1",
            "display_name": "Web",
        },
    )
    assert "session_secret" not in answer.text
    cookie = next(v for v in answer.headers.get_list("set-cookie") if "chenu_session" in v)
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert cookie.split("=")[1].split(";")[0] not in answer.text


@pytest.mark.parametrize(
    ("request_line", "body", "status", "reason"),
    [
        ("POST /api/v2/nova/query", {"text": ""}, 400, "INVALID_REQUEST"),
        ("POST /api/v2/nova/query", {"text": 7}, 400, "INVALID_REQUEST"),
        ("POST /api/v2/nova/query", {"txet": "x"}, 400, "INVALID_REQUEST"),
        ("POST /api/v2/nova/query", [], 400, "INVALID_REQUEST"),
        ("GET /api/v2/threads?page_size=-1", None, 400, "INVALID_REQUEST"),
        ("GET /api/v2/threads?page_size=many", None, 400, "INVALID_REQUEST"),
        ("GET /api/v2/threads?nonsense=1", None, 400, "INVALID_REQUEST"),
        ("GET /api/v2/threads?page_token=forged", None, 400, "INVALID_PAGE_TOKEN"),
        ("GET /api/v2/threads/not-a-uuid", None, 400, "INVALID_REQUEST"),
        ("GET /api/v2/threads/0190b6a0-0000-7000-8000-000000000000", None, 403, "FORBIDDEN"),
    ],
)
async def test_each_bad_input_has_its_problem(
    logged_in: httpx2.AsyncClient, request_line: str, body: object, status: int, reason: str
) -> None:
    verb, path = request_line.split(" ")
    answer = await logged_in.request(verb, path, json=body)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_every_answer_names_its_request(logged_in: httpx2.AsyncClient) -> None:
    fine = await logged_in.get("/api/v2/threads")
    assert UUID(fine.headers["x-request-id"])
    bad = await logged_in.get("/api/v2/threads?page_size=-1")
    assert bad.json()["instance"] == f"urn:uuid:{UUID(bad.headers['x-request-id'])}"
    own = str(uuid4())
    asked = await logged_in.get("/api/v2/threads", headers={"x-request-id": own})
    assert asked.headers["x-request-id"] == own


async def test_an_error_that_nobody_foresaw_is_a_500_that_names_the_request_and_nothing_else(
    logged_in: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("the inside of things")

    monkeypatch.setattr("services.gateway.app.response_json", fail)
    answer = await logged_in.get("/api/v2/threads")
    assert (answer.status_code, answer.json()["reason"]) == (500, "INTERNAL")
    assert answer.json()["metadata"] == {"request_id": answer.headers["x-request-id"]}
    assert "inside" not in answer.text


async def test_a_reused_request_id_is_422(logged_in: httpx2.AsyncClient) -> None:
    key = {"idempotency-key": str(uuid4())}
    body = {"title": "Once", "founding_intent": "to test"}
    first = await logged_in.post("/api/v2/threads", json=body, headers=key)
    again = await logged_in.post("/api/v2/threads", json=body, headers=key)
    assert first.json()["thread"]["thread_id"] == again.json()["thread"]["thread_id"]
    answer = await logged_in.post("/api/v2/threads", json=body | {"title": "Other"}, headers=key)
    assert (answer.status_code, answer.json()["reason"]) == (422, "REQUEST_ID_REUSED")


async def test_a_total_that_is_asked_for_is_told_also_where_it_is_none(
    logged_in: httpx2.AsyncClient,
) -> None:
    for made in range(2):
        asked = await logged_in.get("/api/v2/threads", params={"include_total": "true"})
        assert asked.headers["x-total-count"] == asked.json()["total_size"] == str(made)
        assert "x-total-count" not in (await logged_in.get("/api/v2/threads")).headers
        body = {"title": "One more", "founding_intent": "to be counted"}
        assert (await logged_in.post("/api/v2/threads", json=body)).status_code == 200


async def test_a_stale_etag_is_412(logged_in: httpx2.AsyncClient) -> None:
    body = {"title": "Edited", "founding_intent": "to test"}
    thread = (await logged_in.post("/api/v2/threads", json=body)).json()["thread"]
    path = f"/api/v2/threads/{thread['thread_id']}"
    change = {"thread": {"title": "New"}, "update_mask": "title"}
    first = await logged_in.patch(path, json=change, headers={"if-match": f'"{thread["etag"]}"'})
    assert first.status_code == 200, first.text
    stale = await logged_in.patch(path, json=change, headers={"if-match": thread["etag"]})
    assert (stale.status_code, stale.json()["reason"]) == (412, "ETAG_MISMATCH")
    weak = await logged_in.patch(
        path, json=change, headers={"if-match": f"W/{first.headers['etag']}"}
    )
    assert weak.status_code == 412


async def test_an_empty_condition_is_refused_and_a_star_is_none(
    logged_in: httpx2.AsyncClient,
) -> None:
    body = {"title": "Edited", "founding_intent": "to test"}
    thread = (await logged_in.post("/api/v2/threads", json=body)).json()["thread"]
    path = f"/api/v2/threads/{thread['thread_id']}/archive"
    for header in ("idempotency-key", "if-match"):
        for empty in ("", '""'):
            sent = "/api/v2/threads" if header == "idempotency-key" else path
            answer = await logged_in.post(sent, json={}, headers={header: empty})
            assert (answer.status_code, answer.json()["detail"]) == (400, "the header is empty")
    assert (await logged_in.post(path, headers={"if-match": "*"})).status_code == 200


async def test_an_export_is_downloaded_as_a_file(logged_in: httpx2.AsyncClient) -> None:
    answer = await logged_in.get(
        "/api/v2/audit/export", params={"format": "EXPORT_FORMAT_JSONL", "sphere": "personal"}
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == "attachment"
    assert json.loads(answer.text.splitlines()[0])["manifest"]["filters"] == {"sphere": "personal"}
    refused = await logged_in.get("/api/v2/audit/export")
    assert refused.status_code == 400
    assert refused.headers["content-type"] == "application/problem+json"


async def test_events_of_a_run_stream_and_resume(logged_in: httpx2.AsyncClient) -> None:
    seen: list[tuple[str, str]] = []
    async with logged_in.stream(
        "GET", "/api/v2/nova/query/stream", params={"text": "What is a thread?"}
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        seen = [event async for event in events(answer)]
    kinds = [kind for _, kind in seen]
    assert kinds[0] == "pipeline.start"
    assert kinds[-1] == "pipeline.complete"
    run = (await logged_in.get("/api/v2/nova/history")).json()["runs"][0]
    async with logged_in.stream(
        "GET", f"/api/v2/nova/runs/{run['run_id']}/watch", headers={"last-event-id": seen[1][0]}
    ) as answer:
        again = [event async for event in events(answer)]
    assert again == seen[2:]


async def events(answer: httpx2.Response) -> AsyncIterator[tuple[str, str]]:
    """(id, event) of each server-sent event."""
    number = ""
    async for line in answer.aiter_lines():
        if line.startswith("id: "):
            number = line[4:]
        if line.startswith("event: "):
            yield number, line[7:]


async def test_the_identity_header_selects_one_of_ones_own_and_never_anothers(
    logged_in: httpx2.AsyncClient, me: Client
) -> None:
    created = await logged_in.post(
        "/api/v2/auth/identities",
        json={"type": "IDENTITY_TYPE_ENTERPRISE", "display_name": "Shop"},
    )
    mine = created.json()["identity"]["identity_id"]
    body = {"title": "Shop only", "founding_intent": "to test"}
    other = {"x-che-nu-identity": mine}
    assert (await logged_in.post("/api/v2/threads", json=body, headers=other)).status_code == 200
    assert (await logged_in.get("/api/v2/threads")).json()["threads"] == []
    assert len((await logged_in.get("/api/v2/threads", headers=other)).json()["threads"]) == 1
    stolen = {"x-che-nu-identity": me.identity_id}
    assert (await logged_in.get("/api/v2/threads", headers=stolen)).status_code == 403
    answer = await logged_in.post("/api/v2/nova/query", json={"text": "Hi"}, headers=stolen)
    assert answer.status_code == 403


async def test_the_public_pages_need_no_token_and_run_no_foreign_script(
    http: httpx2.AsyncClient,
) -> None:
    for path in ("/", "/health", "/openapi.json", "/docs", "/redoc"):
        assert (await http.get(path)).status_code == 200, path
    docs = await http.get("/docs")
    assert "script-src 'sha256-" in docs.headers["content-security-policy"]
    contract = (await http.get("/openapi.json")).json()
    assert contract["openapi"] == "3.1.0"
    query = contract["paths"]["/api/v2/nova/query"]["post"]
    schema = contract["components"]["schemas"]["chenu.nova.v1.ExecuteRunRequest"]
    assert query["requestBody"]
    assert schema["properties"]["text"]["maxLength"] == 32000


async def test_old_paths_are_gone_with_a_link(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/api/v1/threads")
    assert answer.status_code == 410
    assert "/api/v2/threads" in answer.headers["link"]


async def test_script_in_a_text_comes_back_as_data_only(logged_in: httpx2.AsyncClient) -> None:
    title = "<script>alert(1)</script>"
    answer = await logged_in.post(
        "/api/v2/threads", json={"title": title, "founding_intent": title}
    )
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert json.loads(answer.content)["thread"]["title"] == title
    missing = await logged_in.get("/api/v2/%3Cscript%3E")
    assert "<script>" not in missing.text


async def test_fifty_callers_at_once_are_all_answered(logged_in: httpx2.AsyncClient) -> None:
    answers = await asyncio.gather(*(logged_in.get("/api/v2/auth/me") for _ in range(50)))
    assert {a.status_code for a in answers} == {200}
