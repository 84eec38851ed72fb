"""Numbers and times at the ends of their types are answered, or refused with a reason."""

from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chenu.audit.v1 import entry_service_pb2 as entry_pb
from chenu.audit.v1 import log_service_pb2 as log_pb
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.log_service_pb2_grpc import LogServiceStub
from kernel.errors import reason_of
from tests.integration.audit.listing import Publish, listed
from tests.support.identity import Person, StandInIdentity
from tests.support.source import StandInSource, an_event

LAST = 2**63 - 1
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799


@pytest.mark.parametrize("size", [LAST, LAST - 255])
async def test_behind_the_end_of_the_log_is_nothing(
    *,
    entries: EntryServiceStub,
    log: LogServiceStub,
    identity: StandInIdentity,
    person: Person,
    source: StandInSource,
    publish: Publish,
    size: int,
) -> None:
    await publish(source.bundle([an_event(person)]))
    await listed(entries, identity, person, 1)
    me = identity.as_human(person)
    for request in (
        log_pb.ListTreeHeadsRequest(after_size=size),
        log_pb.ListTreeHeadsRequest(after_size=size, before_size=1),
    ):
        assert not (await log.ListTreeHeads(request, metadata=me)).tree_heads
    leaves = log_pb.ListLeafHashesRequest(start_index=size, page_size=2**31 - 1)
    assert (await log.ListLeafHashes(leaves, metadata=me)).hashes == b""


@pytest.mark.parametrize("name", ["start_time", "end_time"])
@pytest.mark.parametrize(
    ("seconds", "nanos", "is_a_time"),
    [
        (FIRST_SECOND, 0, True),
        (LAST_SECOND, 999_999_999, True),
        (FIRST_SECOND - 1, 0, False),
        (LAST_SECOND + 1, 0, False),
        (-(2**63), 0, False),
        (0, -1, False),
    ],
)
async def test_a_report_of_any_span_is_given_or_the_time_that_is_none_is_named(
    *,
    entries: EntryServiceStub,
    identity: StandInIdentity,
    person: Person,
    name: str,
    seconds: int,
    nanos: int,
    is_a_time: bool,
) -> None:
    moment: dict[str, Any] = {name: Timestamp(seconds=seconds, nanos=nanos)}
    call = entries.GetViolationReport(
        entry_pb.GetViolationReportRequest(**moment), metadata=identity.as_human(person)
    )
    if is_a_time:
        assert getattr(await call, name).seconds == seconds
        return
    with pytest.raises(grpc.aio.AioRpcError, match=name) as refused:
        await call
    assert reason_of(refused.value) == "INVALID_REQUEST"
