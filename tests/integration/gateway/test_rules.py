"""Rules over HTTP: read, put in, tried out, promoted; mistakes named with their place."""

import base64
from typing import Any
from uuid import uuid4

import httpx2

from chenu_gate.action import Principal
from chenu_gate.trial_action import trial_action

RULES = "/api/v2/governance/rules"
NO_SEARCH = {
    "code": "no_search",
    "description": "Nobody searches.",
    "effect": "EFFECT_DENY",
    "kinds": ["ACTION_KIND_SEARCH"],
}


async def posted(http: httpx2.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await http.post(f"{RULES}/{path}", json=body)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def test_the_rules_and_the_constitution_are_read(logged_in: httpx2.AsyncClient) -> None:
    listed = (await logged_in.get(RULES)).json()
    told = (await logged_in.get("/api/v2/governance/constitution")).json()
    assert {rule["code"] for rule in listed["rules"]} >= {"payment", "identity_boundary"}
    assert listed["revision"] == told["revision"]
    assert len(told["laws"]) == 8
    assert told["laws"][0]["title"] in told["text"]


async def test_a_revision_is_put_in_tried_compared_and_asked_for(
    logged_in: httpx2.AsyncClient,
) -> None:
    document = {"rules": [NO_SEARCH]}
    made = (await posted(logged_in, "revisions", document=document))["revision"]["revision"]
    found = (await logged_in.get(f"{RULES}/revisions/{made}")).json()["revision"]
    assert found["document"]["rules"][0]["code"] == "no_search"
    listed = (await logged_in.get(f"{RULES}/revisions")).json()["revisions"]
    assert [one["revision"] for one in listed] == [made]

    case = {"name": "search", "action": '{"kind": "search"}', "expected_effect": "EFFECT_DENY"}
    tried = await posted(logged_in, "test", revision=made, cases=[case])
    assert tried["results"][0]["passed"] is True
    label = await logged_in.put(f"{RULES}/labels/shadow", json={"revision": made})
    assert label.json()["label"]["revision"] == made
    labels = (await logged_in.get(f"{RULES}/labels")).json()["labels"]
    assert [one["label"] for one in labels] == ["shadow"]

    assert (await posted(logged_in, "replay", revision=made))["replay"]["replayed"] == 0
    asked = await posted(logged_in, "promote", revision=made, request_id=str(uuid4()))
    assert asked["verdict"]["state"] == "VERDICT_STATE_BLOCKED"
    assert asked["required_approvals"] == 1
    assert (await logged_in.get(f"{RULES}/shadow-verdicts")).status_code == 200


async def test_an_action_is_explained(logged_in: httpx2.AsyncClient) -> None:
    me = (await logged_in.get("/api/v2/auth/me")).json()
    principal = Principal(
        me["user"]["tenant_id"], me["user"]["user_id"], me["identity"]["identity_id"]
    )
    action = trial_action({"kind": "delete"}, principal).canonical()
    told = await posted(logged_in, "evaluate", action=base64.b64encode(action).decode())
    assert told["evaluation"]["rule"] == "destructive_action"
    refused = await logged_in.post(
        f"{RULES}/evaluate", json={"action": base64.b64encode(b"{ }").decode()}
    )
    assert (refused.status_code, refused.json()["reason"]) == (400, "ACTION_INVALID")


async def test_a_mistake_is_named_with_its_place(logged_in: httpx2.AsyncClient) -> None:
    rule = {**NO_SEARCH, "condition": "action.knd == 'x'"}
    answer = await logged_in.post(f"{RULES}/revisions", json={"document": {"rules": [rule]}})
    assert (answer.status_code, answer.json()["reason"]) == (400, "RULE_INVALID")
    assert "1:7: undeclared reference to 'action.knd'" in answer.text
    missing = await logged_in.get(f"{RULES}/revisions/sha256:{'0' * 64}")
    assert (missing.status_code, missing.json()["reason"]) == (403, "FORBIDDEN")
    live = await logged_in.put(f"{RULES}/labels/live", json={"revision": ""})
    assert (live.status_code, live.json()["reason"]) == (400, "LABEL_RESERVED")
