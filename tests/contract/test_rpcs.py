"""Walks every descriptor: each RPC is served, guarded, documented, and reached by some test."""

import asyncio
import re

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from prometheus_client import REGISTRY

from chenu.events.v1 import method_policy_pb2
from kernel import errors
from tests.support.descriptors import SERVED_BY, comments, described, hosts, methods
from tests.support.fleet import Fleet

# What any call may meet, whatever it does: its comment need not repeat these.
ALWAYS = {"OK", "UNAUTHENTICATED", "PERMISSION_DENIED", "INVALID_ARGUMENT", "UNAVAILABLE",
          "DEADLINE_EXCEEDED", "CANCELLED"}  # fmt: skip
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
    stub = health_pb2_grpc.HealthStub(fleet.channel(service))
    answer = await stub.Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@each_rpc
async def test_an_rpc_without_a_token_is_refused_unless_it_is_named_public(
    fleet: Fleet, method: MethodDescriptor
) -> None:
    public = method.GetOptions().Extensions[method_policy_pb2.policy].public
    for service in hosts(method):
        code = await _call_empty(fleet, service, method)
        assert (code is grpc.StatusCode.UNAUTHENTICATED) is (not public), (service, code)


async def _call_empty(fleet: Fleet, service: str, method: MethodDescriptor) -> grpc.StatusCode:
    """The code of a call with an empty request and no token."""
    channel = fleet.channel(service)
    name = f"/{method.containing_service.full_name}/{method.name}"
    make = channel.unary_stream if method.server_streaming else channel.unary_unary
    call = make(name, response_deserializer=GetMessageClass(method.output_type).FromString)(b"")
    try:
        if method.server_streaming:
            async for _ in call:
                break
        else:
            await call
    except grpc.aio.AioRpcError as error:
        # A public one may well say that nothing is not enough; then it was let in.
        public = method.GetOptions().Extensions[method_policy_pb2.policy].public
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
    policy = method.GetOptions().Extensions[method_policy_pb2.policy]
    assert policy.audit != method_policy_pb2.AUDIT_MODE_UNSPECIFIED
    assert policy.public or policy.callers


@pytest.mark.last
def test_every_rpc_was_reached_and_answered_only_with_codes_that_it_documents() -> None:
    """Looks at what all the other tests have done; only collected with the whole suite."""
    observed: dict[str, set[str]] = {}
    for metric in REGISTRY.collect():
        if metric.name == "chenu_calls":
            for sample in metric.samples:
                if sample.name.endswith("_total") and sample.value:
                    observed.setdefault(sample.labels["method"], set()).add(sample.labels["code"])
    said = comments()
    unreached, undocumented = [], []
    for method in ALL:
        codes = observed.get(f"/{method.containing_service.full_name}/{method.name}", set())
        # A watcher that has seen enough leaves: its stream is then cancelled, not failed.
        if not codes & ({"OK", "CANCELLED"} if method.server_streaming else {"OK"}):
            unreached.append(method.full_name)
        documented = set(re.findall(r"[A-Z_]+", said[method.full_name].partition("Errors:")[2]))
        undocumented += [f"{method.full_name}: {c}" for c in codes - documented - ALWAYS]
    assert not unreached, unreached
    assert not undocumented, undocumented
