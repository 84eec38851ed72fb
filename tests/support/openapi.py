"""Whether what the gateway answers is what its OpenAPI document says of that path and status."""

import copy
import json
import re
from functools import cache
from typing import Any, Final

import httpx2
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from services.gateway.openapi import document

_BASE: Final = "urn:openapi"
_JSON: Final = ("application/json", "application/problem+json")


async def conforms(answer: httpx2.Response) -> None:
    """A hook for clients: fails the test whose answer the document does not describe."""
    operation = operation_of(answer.request.method, answer.request.url.path)
    media = answer.headers.get("content-type", "").partition(";")[0]
    if operation is None or answer.request.method == "HEAD":
        return
    responses = operation["responses"]
    status = str(answer.status_code)
    described = responses.get(status) or responses["default"]
    assert media in described["content"] or "*/*" in described["content"], answer.request.url
    assert (media == _JSON[1]) is (answer.status_code >= 400)
    if media in _JSON:
        content = json.loads(await answer.aread())
        problems = [
            f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
            for error in _validator(described["content"][media]["schema"]["$ref"]).iter_errors(
                content
            )
        ]
        assert not problems, (str(answer.request.url), problems)


def operation_of(verb: str, path: str) -> dict[str, Any] | None:
    """What the document says of it; None where it describes no such path."""
    paths = document_once()["paths"]
    # Fixed paths come before those with parameters: `/checkpoints/count` is no checkpoint.
    for template in sorted(paths, key=lambda path: [p.startswith("{") for p in path.split("/")]):
        if verb.lower() in paths[template] and _pattern(template).fullmatch(path):
            found: dict[str, Any] = paths[template][verb.lower()]
            return found
    return None


@cache
def document_once() -> dict[str, Any]:
    """The document; the same each time."""
    return document()


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)))


@cache
def _validator(reference: str) -> Draft202012Validator:
    registry = Registry[Any]().with_resource(_BASE, DRAFT202012.create_resource(_strict()))
    return Draft202012Validator(
        {"$ref": f"{_BASE}{reference}"}, registry=registry, format_checker=FormatChecker()
    )


@cache
def _strict() -> dict[str, Any]:
    """The document with nothing allowed in an answer but what it names."""
    strict = copy.deepcopy(document_once())
    for schema in strict["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    return strict
