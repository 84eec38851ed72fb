"""Every path that a contract names is served at the edge: a gateway that forgot one answers 404."""

from google.api import annotations_pb2

from services.gateway.contract import bindings
from services.gateway.openapi import document
from services.gateway.sse import CONTENTS, CURSORS, RESUMED
from tests.support.descriptors import methods


def test_every_binding_of_every_rpc_is_served_and_described() -> None:
    declared = set()
    for method in methods():
        rule = method.GetOptions().Extensions[annotations_pb2.http]
        for one in (rule, *rule.additional_bindings):
            if verb := one.WhichOneof("pattern"):
                declared.add((verb.upper(), getattr(one, verb)))
    assert {(one.verb, one.pattern) for one in bindings()} == declared
    assert {one.path for one in bindings()} <= document()["paths"].keys()


def test_every_stream_of_events_tells_something_and_where_to_go_on() -> None:
    for binding in bindings():
        if binding.sends_events:
            told = set(binding.method.output_type.fields_by_name)
            assert told & set(CONTENTS), binding.path
            assert told & set(CURSORS), binding.path
            assert set(binding.method.input_type.fields_by_name) & RESUMED.keys(), binding.path
