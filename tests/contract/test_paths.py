"""Every path that a contract names is served at the edge: a gateway that forgot one answers 404."""

from google.api import annotations_pb2

from services.gateway.contract import bindings
from services.gateway.openapi import document
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
