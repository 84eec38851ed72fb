"""Bad input of every kind, for a reading and a changing RPC of each service: refused as documented.

The bytes are put on the wire as they are, so that no stub mends or refuses them before the service.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import grpc
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chenu.audit.v1.entry_service_pb2 import ListEntriesRequest
from chenu.courier.v1.endpoint_service_pb2 import CreateEndpointRequest, ListEndpointsRequest
from chenu.governance.v1.checkpoint_service_pb2 import (
    CancelCheckpointRequest,
    ListCheckpointsRequest,
)
from chenu.identity.v1.identity_pb2 import IdentityType
from chenu.identity.v1.identity_service_pb2 import CreateIdentityRequest, ListIdentitiesRequest
from chenu.llm.v1.ledger_service_pb2 import ListLedgerEntriesRequest
from chenu.nova.v1.run_service_pb2 import ListRunsRequest, StartRunRequest
from chenu.threads.v1.thread_service_pb2 import CreateThreadRequest, ListThreadsRequest
from tests.faults.forked import SERVICES
from tests.faults.stage import Stage
from tests.support.fleet import Client
from tests.support.identity import Metadata
from tests.support.refusals import refused

NO_SUCH_FIELD: Final = 19_000 - 1
MEGABYTE: Final = 1 << 20
FORGED: Final = ("x", "é" * 20, "A" * 24, "A" * 2000, "eyJpZCI6IjEifQ", "' OR 1=1 --")
INVALID = grpc.StatusCode.INVALID_ARGUMENT
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


@dataclass(frozen=True)
class Rpc:
    """An RPC and a good request to it; `text` is one of its fields that holds a string."""

    service: str
    path: str
    request: Message
    text: str

    @property
    def text_number(self) -> int:
        number: int = self.request.DESCRIPTOR.fields_by_name[self.text].number
        return number


def rpc(service: str, path: str, request: Message, text: str) -> Any:
    return pytest.param(Rpc(service, f"/chenu.{service}.v1.{path}", request, text), id=path)


READS = [
    rpc("identity", "IdentityService/ListIdentities", ListIdentitiesRequest(), "page_token"),
    rpc("threads", "ThreadService/ListThreads", ListThreadsRequest(), "page_token"),
    rpc("governance", "CheckpointService/ListCheckpoints", ListCheckpointsRequest(), "page_token"),
    rpc("audit", "EntryService/ListEntries", ListEntriesRequest(), "page_token"),
    rpc("nova", "RunService/ListRuns", ListRunsRequest(), "page_token"),
    rpc("llm", "LedgerService/ListLedgerEntries", ListLedgerEntriesRequest(), "page_token"),
    rpc("courier", "EndpointService/ListEndpoints", ListEndpointsRequest(), "page_token"),
]
WRITES = [
    rpc(
        "identity",
        "IdentityService/CreateIdentity",
        CreateIdentityRequest(type=IdentityType.IDENTITY_TYPE_ENTERPRISE, display_name="Club"),
        "display_name",
    ),
    rpc(
        "threads",
        "ThreadService/CreateThread",
        CreateThreadRequest(title="Good", founding_intent="to be good"),
        "title",
    ),
    rpc("nova", "RunService/StartRun", StartRunRequest(text="What is a thread?"), "text"),
    rpc(
        "courier",
        "EndpointService/CreateEndpoint",
        CreateEndpointRequest(name="Hook", url="http://127.0.0.1:9/in"),
        "name",
    ),
]
# What is asked of these is refused for reasons of its own, so only what breaks before that counts.
REFUSED_WRITES = [
    rpc(
        "governance",
        "CheckpointService/CancelCheckpoint",
        CancelCheckpointRequest(checkpoint_id=str(uuid4())),
        "checkpoint_id",
    ),
]
each_read = pytest.mark.parametrize("called", READS)
each_write = pytest.mark.parametrize("called", WRITES)
each_rpc = pytest.mark.parametrize("called", READS + WRITES + REFUSED_WRITES)


@pytest.fixture(autouse=True)
async def services_live_on(stage: Stage) -> AsyncIterator[None]:
    """Whatever a test sends, the service answers the next one who asks."""
    yield
    for service in SERVICES:
        stub: Any = health_pb2_grpc.HealthStub(stage.channel(service))
        answer = await stub.Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def metadata_for(me: Client, service: str) -> Metadata:
    return await me.nova() if service == "nova" else me.me


async def send(me: Client, called: Rpc, data: bytes) -> bytes:
    """The bytes of the answer to these bytes."""
    call: Any = me.fleet.channel(called.service).unary_unary(called.path)
    answer: bytes = await call(data, metadata=await metadata_for(me, called.service), timeout=20)
    return answer


def varint(number: int) -> bytes:
    head = b""
    while number > 0x7F:
        head += bytes([number & 0x7F | 0x80])
        number >>= 7
    return head + bytes([number])


def field(number: int, wire_type: int, payload: bytes) -> bytes:
    """One field as it stands on the wire; length-delimited (2) ones get their length."""
    length = varint(len(payload)) if wire_type == 2 else b""
    return varint(number << 3 | wire_type) + length + payload


@pytest.mark.parametrize("called", READS + WRITES)
async def test_an_unknown_field_is_ignored(me: Client, called: Rpc) -> None:
    extra = field(NO_SUCH_FIELD, 2, b"from a later version") + field(NO_SUCH_FIELD, 0, b"\x07")
    assert await send(me, called, called.request.SerializeToString() + extra) is not None


@each_rpc
@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        field(1, 2, b"x")[:-1],
        b"\x0f",
        b'{"title": "JSON is another door"}',
        b"\x00",
    ],
    ids=["endless varint", "cut off", "no such wire type", "JSON", "field zero"],
)
async def test_bytes_that_are_no_message_are_refused(me: Client, called: Rpc, data: bytes) -> None:
    await refused(send(me, called, data), INVALID, "MALFORMED_REQUEST")


@each_rpc
async def test_text_that_is_not_utf_8_is_refused(me: Client, called: Rpc) -> None:
    for wrong in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"good\x80"):
        data = called.request.SerializeToString() + field(called.text_number, 2, wrong)
        await refused(send(me, called, data), INVALID, "MALFORMED_REQUEST")


@each_write
async def test_a_text_with_a_nul_is_refused(me: Client, called: Rpc) -> None:
    data = called.request.SerializeToString() + field(called.text_number, 2, b"a\0b")
    await refused(send(me, called, data), INVALID, "INVALID_REQUEST")


@each_write
async def test_a_field_of_another_wire_type_is_as_good_as_missing(me: Client, called: Rpc) -> None:
    data = field(called.text_number, 0, b"\x07")
    info = await refused(send(me, called, data), INVALID, "INVALID_REQUEST")
    assert called.text in info.metadata["fields"].split(",")


@each_rpc
async def test_a_body_of_ten_megabytes_is_refused_before_it_is_read(
    me: Client, called: Rpc
) -> None:
    data = field(called.text_number, 2, b"x" * (10 * MEGABYTE))
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await send(me, called, data)
    assert failure.value.code() is EXHAUSTED


@each_rpc
async def test_a_text_of_three_megabytes_is_longer_than_any_field_allows(
    me: Client, called: Rpc
) -> None:
    data = field(called.text_number, 2, b"x" * (3 * MEGABYTE))
    await refused(send(me, called, data), INVALID, "INVALID_REQUEST")


@each_read
async def test_a_huge_page_is_cut_to_the_largest_and_a_negative_one_refused(
    me: Client, called: Rpc
) -> None:
    number = called.request.DESCRIPTOR.fields_by_name["page_size"].number
    assert await send(me, called, field(number, 0, varint(2**31 - 1))) is not None
    negative = field(number, 0, varint(2**64 - 1))
    info = await refused(send(me, called, negative), INVALID, "INVALID_REQUEST")
    assert info.metadata["fields"] == "page_size"


@each_read
@pytest.mark.parametrize(
    "forged", ["x", "é" * 20, "A" * 2000, "eyJpZCI6IjEifQ", "' OR 1=1 --", "A" * 24]
)
async def test_a_forged_cursor_is_refused(me: Client, called: Rpc, forged: str) -> None:
    data = field(called.text_number, 2, forged.encode())
    await refused(send(me, called, data), INVALID, "INVALID_PAGE_TOKEN")
