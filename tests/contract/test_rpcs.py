"""Walks every descriptor: each RPC is served, guarded, documented, and reached by some test."""

import asyncio
import re
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from chenu.events.v1 import method_policy_pb2
from kernel import errors
from tests.support.descriptors import SERVED_BY, comments, described, hosts, methods, policy_of
from tests.support.fleet import Fleet
from tests.support.reached import problems

CODES = {code.name for code in grpc.StatusCode}


ALL = list(methods())
each_rpc = pytest.mark.parametrize("method", ALL, ids=lambda m: m.full_name)


@pytest.mark.parametrize("service", sorted(SERVED_BY))
async def test_a_service_serves_all_its_rpcs_and_no_others(fleet: Fleet, service: str) -> None:
    served = await asyncio.to_thread(_reflected, fleet.address(service))
    wanted = {m.containing_service.full_name for m in ALL if service in hosts(m)}
    assert {name for name in served if name.startswith("chenu.")} == wanted


def _reflected(address: str) -> set[str]:
    """What reflection says without a token; in a thread, since its client knows no asyncio."""
    with grpc.insecure_channel(address) as channel:
        return set(ProtoReflectionDescriptorDatabase(channel).get_services())


@pytest.mark.parametrize("service", sorted(SERVED_BY))
async def test_health_needs_no_token(fleet: Fleet, service: str) -> None:
    stub: Any = health_pb2_grpc.HealthStub(fleet.channel(service))
    answer = await stub.Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@each_rpc
async def test_an_rpc_without_a_token_is_refused_unless_it_is_named_public(
    fleet: Fleet, method: MethodDescriptor
) -> None:
    public = policy_of(method).public
    for service in hosts(method):
        code = await _call_empty(fleet, service, method)
        assert (code is grpc.StatusCode.UNAUTHENTICATED) is (not public), (service, code)


async def _call_empty(fleet: Fleet, service: str, method: MethodDescriptor) -> grpc.StatusCode:
    """The code of a call with an empty request and no token."""
    channel = fleet.channel(service)
    name = f"/{method.containing_service.full_name}/{method.name}"
    make: Any = channel.unary_stream if method.server_streaming else channel.unary_unary
    call = make(name, response_deserializer=GetMessageClass(method.output_type).FromString)(b"")
    try:
        if method.server_streaming:
            async for _ in call:
                break
        else:
            await call
    except grpc.aio.AioRpcError as error:
        # A public one may well say that nothing is not enough; then it was let in.
        public = policy_of(method).public
        return grpc.StatusCode.OK if public else error.code()
    return grpc.StatusCode.OK


@each_rpc
def test_an_rpc_documents_its_errors_with_codes_and_reasons_that_exist(
    method: MethodDescriptor,
) -> None:
    comment = comments()[method.full_name]
    documented = re.search(r"Errors: ([A-Z][^.]*)\.", comment)
    assert documented, comment
    reasons = _reasons(method)
    for code, _, names in re.findall(r"([A-Z_]+)(?: \((with a [^)]*|([^)]*))\))?", documented[1]):
        assert code in CODES, code
        for name in re.findall(r"\b[A-Z][A-Z_]{3,}\b", names or ""):
            assert name in reasons, name


def _reasons(method: MethodDescriptor) -> set[str]:
    """The reasons that an RPC may give: its service's, governance's, and those of every service."""
    pool, files = described()
    found = {
        c.reason for c in vars(errors).values() if isinstance(c, type) and hasattr(c, "reason")
    }
    for file in files.file:
        if file.name.endswith("error_reason.proto"):
            enum = pool.FindFileByName(file.name).enum_types_by_name["ErrorReason"]
            found |= {value.name.removeprefix("ERROR_REASON_") for value in enum.values}
    return found


@each_rpc
def test_an_rpc_says_what_it_leaves_in_the_audit_log(method: MethodDescriptor) -> None:
    policy = policy_of(method)
    assert policy.audit != method_policy_pb2.AUDIT_MODE_UNSPECIFIED
    assert policy.public or policy.callers


def test_the_run_is_told_what_it_did_not_reach_and_what_nobody_documented() -> None:
    observed = {f"/{m.containing_service.full_name}/{m.name}": {"OK"} for m in ALL}
    assert not problems(observed)
    first, second, *_ = observed
    del observed[first]
    observed[second] = {"OK", "DATA_LOSS"}
    unreached, undocumented = problems(observed)
    assert unreached == f"{first[1:].replace('/', '.')} was not reached by any test"
    assert undocumented.startswith(f"{second[1:].replace('/', '.')} answered DATA_LOSS")
