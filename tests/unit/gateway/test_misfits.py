"""What is wrong with a JSON body is told in the words of the contract, never in a library's."""

from typing import Any

import pytest
from google.protobuf import json_format

from chenu.governance.v1.grant_service_pb2 import CreateGrantRequest
from chenu.nova.v1.run_service_pb2 import ExecuteRunRequest
from chenu.threads.v1.thread_service_pb2 import ListThreadsRequest, UpdateThreadRequest
from kernel.errors import InvalidArgument
from services.gateway.misfits import misfit, refuse_unknown


@pytest.mark.parametrize(
    ("request_class", "document", "told"),
    [
        (ExecuteRunRequest, {"text": 5}, "text: takes a string"),
        (ExecuteRunRequest, {"text": "\ud800"}, "text: takes a string of whole Unicode"),
        (ListThreadsRequest, {"page_size": "many"}, "page_size: takes a whole number of 32 bits"),
        (ListThreadsRequest, {"page_size": 1 << 40}, "page_size: takes a whole number of 32 bits"),
        (ListThreadsRequest, {"include_total": "yes"}, "include_total: takes true or false"),
        (UpdateThreadRequest, {"thread": 5}, "thread: takes an object"),
        (UpdateThreadRequest, {"thread": {"tags": [1]}}, "thread.tags: takes a list, each item"),
        (UpdateThreadRequest, {"thread": {"update_time": "now"}}, "thread.update_time: takes a ti"),
        (UpdateThreadRequest, {"update_mask": {}}, "update_mask: takes field names such as"),
    ],
)
def test_the_field_and_what_it_takes_are_named(
    request_class: Any, document: dict[str, Any], told: str
) -> None:
    with pytest.raises((json_format.ParseError, ValueError)) as refused:
        json_format.ParseDict(document, request_class())
    error = misfit(refused.value, request_class.DESCRIPTOR)
    assert str(error).startswith(told)
    assert error.metadata["fields"] == told.partition(":")[0]
    for word in ("Failed to parse", "int()", "chenu.", "Request"):
        assert word not in str(error)


def test_a_complaint_that_names_no_field_still_says_where_to_look() -> None:
    request: Any = ExecuteRunRequest.DESCRIPTOR
    error = misfit(ValueError("something new"), request)
    assert "/docs" in str(error)


@pytest.mark.parametrize(
    ("request_class", "document", "told"),
    [
        (ExecuteRunRequest, {"txt": "x"}, "txt: there is no such field; there are text, mode,"),
        (ExecuteRunRequest, {"mode": "FAST"}, "mode: takes one of RUN_MODE_ANALYSIS,"),
        (ExecuteRunRequest, {"mode": [[1]]}, "mode: takes one of"),
        (ExecuteRunRequest, {"mode": True}, "mode: takes one of"),
        (ExecuteRunRequest, {"mode": 1.5}, "mode: takes one of"),
        (ExecuteRunRequest, {"mode": 99}, "mode: takes one of"),
        (ExecuteRunRequest, {"mode": 2**32 + 1}, "mode: takes one of"),
        (ExecuteRunRequest, {"mode": str(2**32 + 1)}, "mode: takes one of"),
        (ExecuteRunRequest, {"mode": "\ud800"}, "mode: takes one of"),
        (ExecuteRunRequest, {"threadId": "x"}, "threadId: there is no such field;"),
        (ExecuteRunRequest, {"\ud800\u202e": "x"}, "\\ud800\\u202e: there is no such field;"),
        (UpdateThreadRequest, {"thread": {"titel": "x"}}, "thread.titel: there is no such field;"),
        (
            CreateGrantRequest,
            {"terms": {"constraints": [{}, {"any": 1}]}},
            "terms.constraints.any: there is",
        ),
    ],
)
def test_a_field_has_one_name_and_an_enum_its_own(
    request_class: Any, document: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        refuse_unknown(document, request_class.DESCRIPTOR)
    assert str(refused.value).startswith(told)
    assert refused.value.metadata["fields"] == told.partition(":")[0]


@pytest.mark.parametrize(
    ("request_class", "document"),
    [
        (UpdateThreadRequest, {"thread": {"tags": ["any"], "update_time": "now"}}),
        (UpdateThreadRequest, {"thread": 5, "update_mask": {"any": 1}}),
        (CreateGrantRequest, {"terms": {"constraints": 5}}),
        (ExecuteRunRequest, {"mode": 1}),
        (ExecuteRunRequest, {"mode": "1"}),
        (ExecuteRunRequest, {"mode": "RUN_MODE_ANALYSIS"}),
        (ExecuteRunRequest, {"mode": None}),
    ],
)
def test_what_is_no_message_of_ours_is_left_to_who_reads_it(
    request_class: Any, document: dict[str, Any]
) -> None:
    refuse_unknown(document, request_class.DESCRIPTOR)
