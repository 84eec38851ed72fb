"""Governance over HTTP: each path does what its RPC does, for whoever may, with its own problem."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2

from chenu.governance.v1.authorization_service_pb2 import ActionRequest, AuthorizeActionsRequest
from chenu.governance.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from chenu_gate.action import Action, ActionKind, Principal, Tool
from tests.integration.gateway.test_http import blocked
from tests.support.actions import DEFINITION
from tests.support.fleet import Fleet
from tests.support.identity import bearer

NOBODY, STALE = str(uuid4()), "sha256:" + "0" * 64
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()
# Verb, path, body, status, and the reason of the problem where it is one. `{c}` is a checkpoint
# that waits, `{f}` a freeze.
PATHS: list[tuple[str, str, dict[str, Any] | None, int, str]] = [
    ("GET", "/governance/permit-keys", None, 200, ""),
    ("GET", "/checkpoints", None, 200, ""),
    ("GET", "/governance/checkpoints", None, 200, ""),
    ("GET", "/checkpoints/count", None, 200, ""),
    ("GET", "/governance/checkpoints/{c}", None, 200, ""),
    ("POST", "/checkpoints/{c}/claim", {"minutes": 5}, 200, ""),
    ("POST", "/checkpoints/{c}/release", {}, 200, ""),
    ("POST", "/checkpoints/{c}/assign", {"person_id": NOBODY}, 403, "NOT_ENTITLED"),
    ("POST", "/checkpoints/{c}/comments", {"text": "Why?", "is_question": True}, 200, ""),
    ("POST", "/checkpoints/{c}/edit", {"etag": STALE, "arguments": "{}"}, 412, "ETAG_MISMATCH"),
    ("POST", "/checkpoints/{c}/approve", {"etag": STALE}, 412, "ETAG_MISMATCH"),
    ("POST", "/nova/checkpoint/{c}/approve", {"etag": STALE}, 412, "ETAG_MISMATCH"),
    ("POST", "/checkpoints/{c}/reject", {"etag": STALE}, 412, "ETAG_MISMATCH"),
    ("POST", "/nova/checkpoint/{c}/reject", {"etag": STALE}, 412, "ETAG_MISMATCH"),
    (
        "POST", "/checkpoints/{c}/resolve", {"etag": STALE, "option_id": "approve"},
        412, "ETAG_MISMATCH",
    ),
    (
        "POST", "/governance/checkpoints/{c}/decision", {"etag": STALE, "option_id": "maybe"},
        400, "INVALID_REQUEST",
    ),
    ("POST", "/checkpoints/batch", {"decisions": []}, 400, "INVALID_REQUEST"),
    ("GET", "/governance/deputies", None, 200, ""),
    (
        "POST", "/governance/deputies",
        {"deputy_person_id": NOBODY, "end_time": TOMORROW, "request_id": NOBODY},
        403, "NOT_ENTITLED",
    ),
    ("POST", "/governance/deputies/" + NOBODY + "/dismiss", {}, 403, "FORBIDDEN"),
    ("GET", "/governance/freezes", None, 200, ""),
    (
        "POST", "/governance/freezes", {"scope": "FREEZE_SCOPE_TOOL", "value": "no.tool"}, 200, "",
    ),
    ("POST", "/governance/freezes", {"scope": "FREEZE_SCOPE_ALL"}, 403, "FORBIDDEN"),
    ("POST", "/governance/freezes/{f}/lift", {"request_id": str(uuid4())}, 200, ""),
    ("GET", "/governance/grants", None, 200, ""),
    ("POST", "/governance/grants", {"terms": {}, "request_id": NOBODY}, 400, "INVALID_REQUEST"),
    ("POST", "/governance/grants/" + NOBODY + "/revoke", {}, 403, "FORBIDDEN"),
    (
        "POST", "/governance/decisions/" + NOBODY + "/reconcile",
        {"state": "EXECUTION_STATE_FAILED"}, 403, "FORBIDDEN",
    ),
    ("GET", "/governance/reviewers", None, 200, ""),
    ("GET", "/governance/tombstones", None, 200, ""),
    ("POST", "/governance/tombstones/{c}/lift", {}, 403, "FORBIDDEN"),
    ("GET", "/governance/rules", None, 200, ""),
    ("GET", "/governance/rules/labels", None, 200, ""),
    ("GET", "/governance/rules/revisions/" + STALE, None, 403, "FORBIDDEN"),
    ("GET", "/governance/rules/shadow-verdicts", None, 200, ""),
    ("DELETE", "/checkpoints/{c}", None, 200, ""),
    ("POST", "/checkpoints/{c}/cancel", {"reason": "again"}, 200, ""),
]  # fmt: skip


async def test_each_path_of_governance_answers_as_its_rpc_does(
    logged_in: httpx2.AsyncClient,
) -> None:
    checkpoint = (await blocked(logged_in, "Of every path")).json()["checkpoint_id"]
    wanted = {"scope": "FREEZE_SCOPE_KIND", "value": "payment"}
    made = await logged_in.post("/api/v2/governance/freezes", json=wanted)
    freeze = made.json()["freeze"]["freeze_id"]
    for verb, path, body, status, reason in PATHS:
        at = f"/api/v2{path.replace('{c}', checkpoint).replace('{f}', freeze)}"
        answer = await logged_in.request(verb, at, json=body)
        assert (answer.status_code, answer.json().get("reason", "")) == (status, reason), at
        kind = "application/json" if status == 200 else "application/problem+json"
        assert answer.headers["content-type"] == kind


async def test_many_are_decided_at_once_each_by_its_own_view(
    logged_in: httpx2.AsyncClient,
) -> None:
    waiting = [(await blocked(logged_in, f"Batch {n}")).json() for n in range(3)]
    decisions = [
        {"checkpoint_id": at["checkpoint_id"], "etag": at["view_digest"], "option_id": option}
        for at, option in zip(waiting, ("approve", "reject", "approve"), strict=True)
    ]
    decisions[2]["etag"] = STALE

    answer = await logged_in.post("/api/v2/checkpoints/batch", json={"decisions": decisions})

    assert answer.status_code == 200, answer.text
    outcomes = answer.json()["outcomes"]
    states = [one.get("checkpoint", {}).get("state", "") for one in outcomes]
    assert states == ["CHECKPOINT_STATE_APPROVED", "CHECKPOINT_STATE_REJECTED", ""]
    assert [one["reason"] for one in outcomes] == ["", "", "ETAG_MISMATCH"]
    logged_in.cookies.clear()
    alone = await logged_in.post("/api/v2/checkpoints/batch", json={"decisions": decisions})
    assert (alone.status_code, alone.json()["reason"]) == (401, "SESSION_REQUIRED")


async def test_an_access_token_alone_hires_no_agent_and_only_narrows_one(
    logged_in: httpx2.AsyncClient,
) -> None:
    hire = {"display_name": "Filer", "scopes": ["thread.search"]}
    agent = (await logged_in.post("/api/v2/auth/agents", json=hire)).json()["agent"]
    path = f"/api/v2/auth/agents/{agent['agent_id']}"
    gate = {"update_mask": "alwaysGated", "agent": {"always_gated": True}, "etag": agent["etag"]}
    cookies = dict(logged_in.cookies)
    logged_in.cookies.clear()
    refused = await logged_in.post("/api/v2/auth/agents", json=hire)
    assert (refused.status_code, refused.json()["reason"]) == (401, "SESSION_REQUIRED")
    gated = await logged_in.patch(path, json=gate)
    assert gated.status_code == 200, gated.text
    free = {"update_mask": "scopes", "agent": {}, "etag": gated.json()["agent"]["etag"]}
    refused = await logged_in.patch(path, json=free)
    assert (refused.status_code, refused.json()["reason"]) == (401, "SESSION_INVALID")

    logged_in.cookies.update(cookies)
    freed = await logged_in.patch(path, json=free)
    assert freed.json()["agent"]["scopes"] == [], freed.text


async def test_an_agent_that_asks_too_often_is_429_with_the_time_to_wait(
    logged_in: httpx2.AsyncClient, fleet: Fleet
) -> None:
    hired = (await logged_in.post("/api/v2/auth/agents", json={"display_name": "Eager"})).json()
    agent = hired["agent"]
    answer = await logged_in.post(
        f"/api/v2/auth/agents/{agent['agent_id']}/token", json={"secret": hired["secret"]}
    )
    token = answer.json()["access_token"]
    me = (await logged_in.get("/api/v2/auth/me")).json()["user"]
    principal = Principal(me["tenant_id"], me["user_id"], agent["identity_id"], agent["agent_id"])
    for several in (32, 28):
        plan = [
            Action(
                kind=ActionKind.SEARCH, tool=Tool("thread.search", DEFINITION), executor="threads",
                principal=principal, arguments={"number": number},
            )
            for number in range(several)
        ]  # fmt: skip
        asked = [
            ActionRequest(action=one.canonical(), request_id=str(uuid4()), requires_checkpoint=True)
            for one in plan
        ]
        await AuthorizationServiceStub(fleet.channel("governance")).AuthorizeActions(
            AuthorizeActionsRequest(actions=asked), metadata=bearer(token)
        )
    thread = {"title": "Too much", "founding_intent": "to be deleted"}
    await logged_in.post("/api/v2/threads", json=thread)
    logged_in.headers["authorization"] = f"Bearer {token}"

    refused = await logged_in.post(
        "/api/v2/nova/query", json={"text": "Delete the thread “Too much”"}
    )

    assert refused.status_code == 429, refused.text
    assert refused.json()["reason"] == "ASKED_TOO_OFTEN"
    assert 0 < int(refused.headers["retry-after"]) <= 3600
