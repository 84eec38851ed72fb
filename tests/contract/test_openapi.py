"""The document at /openapi.json is OpenAPI 3.1, and tells all that a request may bring."""

from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator

from services.gateway.contract import bindings
from services.gateway.openapi import document


def operation(verb: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = document()["paths"][f"/api/v2{path}"][verb]
    return found


def names(found: dict[str, Any], place: str) -> set[str]:
    return {one["name"] for one in found["parameters"] if one["in"] == place}


def test_the_document_is_valid() -> None:
    OpenAPIV31SpecValidator(document()).validate()


def test_a_vote_takes_the_session_and_a_stream_a_ticket_too() -> None:
    vote, watch = (
        operation("post", "/checkpoints/{checkpoint_id}/approve"),
        "/nova/runs/{run_id}/watch",
    )
    assert vote["security"] == [{"session": [], "csrf": []}]
    assert operation("get", watch)["security"] == [{"bearer": []}, {"ticket": []}]
    assert operation("post", "/people/invitations")["security"] == [
        {"bearer": [], "session": [], "csrf": []}
    ]
    assert operation("post", "/auth/login")["security"] == []


def test_headers_that_stand_for_fields_and_times_in_a_query_are_told() -> None:
    assert {"If-Match", "Idempotency-Key"} <= names(
        operation("patch", "/threads/{thread_id}"), "header"
    )
    assert "Last-Event-ID" in names(operation("get", "/nova/runs/{run_id}/watch"), "header")
    assert "start_time" in names(operation("get", "/audit/violations"), "query")


def test_no_body_asks_for_what_the_path_says() -> None:
    schemas = document()["components"]["schemas"]
    for binding in bindings():
        if binding.whole_body:
            body = schemas[binding.method.input_type.full_name]
            told = {*body["properties"], *body.get("required", ())}
            assert told.isdisjoint(binding.path_parameters), binding.path


def test_every_operation_has_what_the_page_at_docs_reads() -> None:
    for path, verbs in document()["paths"].items():
        for verb, found in verbs.items():
            assert found["tags"][0], path
            assert found["summary"] in found["description"], path
            (answer,) = found["responses"]["200"]["content"].values()
            assert "schema" in answer, (verb, path)
            if body := found.get("requestBody"):
                assert "$ref" in body["content"]["application/json"]["schema"], path
