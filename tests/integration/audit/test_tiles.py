"""The log as files over HTTP: what the folder holds, for who may read it, and checked likewise."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest

from chenu.audit.v1 import log_service_pb2 as log_pb
from chenu.audit.v1.entry_service_pb2 import ListEntriesRequest
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.log_service_pb2_grpc import LogServiceStub
from chenu.audit.v1.tile_service_pb2 import GetEntryBundleRequest, GetLogFileRequest
from chenu.audit.v1.tile_service_pb2_grpc import TileServiceStub
from cli.verification.address import same_server, verify_address
from cli.verification.folder import verify_folder
from cli.verification.keys import Keys
from cli.verification.verdict import Malformed, Trust, Verdict
from kernel.context import background
from kernel.errors import reason_of
from kernel.receipts import VerifierKey
from kernel.service import Service
from kernel.settings import SharedSettings
from services.audit import log as audit_log
from services.audit.folder import Folder
from services.audit.retention import minimum_index, prune_before
from services.audit.settings import AuditSettings
from services.gateway.__main__ import PROGRAM as GATEWAY
from tests.integration.audit.listing import Publish, listed
from tests.integration.audit.test_folder import right
from tests.support.identity import Person, StandInIdentity
from tests.support.running import running
from tests.support.source import StandInSource, an_event
from tests.support.waiting import soon


@pytest.fixture(scope="module")
async def address(service: Service[AuditSettings], shared: SharedSettings) -> AsyncIterator[str]:
    """Where a gateway before the audit service has the log."""
    before = shared.model_copy(update={"audit_address": f"127.0.0.1:{service.port}"})
    async with running(GATEWAY, before, None) as gateway:
        yield f"http://127.0.0.1:{gateway.port}/api/v2/audit/log"


@pytest.fixture(scope="module")
async def key(log: LogServiceStub) -> VerifierKey:
    answer = await log.GetLogKey(log_pb.GetLogKeyRequest())
    return VerifierKey.parse(answer.verifier_key)


@pytest.fixture(scope="module")
async def grown(
    entries: EntryServiceStub,
    identity: StandInIdentity,
    source: StandInSource,
    publish: Publish,
) -> None:
    """A log with a full tile at least."""
    person = Person()
    bundle = source.bundle([an_event(person) for _ in range(260)])
    await publish(bundle)
    await listed(entries, identity, person, 260)


@pytest.fixture
async def folder(
    grown: None, service: Service[AuditSettings], key: VerifierKey, tmp_path: Path
) -> Path:
    """The same log as a folder, with what was not pruned yet."""
    published = Folder(service.worker, tmp_path / "beside", str(key), tuple).publish
    assert await soon(published, "a head stands for all that was pruned") >= 260
    return tmp_path / "beside"


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


async def verified(address: str, token: str, *keys: VerifierKey) -> Verdict:
    return await asyncio.to_thread(verify_address, address, token, Keys(keys), lambda *_: None)


async def test_over_http_is_what_the_folder_holds_and_the_verifier_agrees(
    address: str, folder: Path, key: VerifierKey, identity: StandInIdentity, system_auditor: Person
) -> None:
    token = identity.access(system_auditor)
    headers = {"authorization": f"Bearer {token}"}
    names = files_in(folder)
    tiles = [name for name in names if name.startswith("tile/")]
    assert {"tile/0/000", "log.vkey", "successions", "checkpoint"} <= set(names)
    async with httpx2.AsyncClient(headers=headers) as http:
        for name in [*tiles, "log.vkey", "successions"]:
            answer = await http.get(f"{address}/{name}")
            assert (answer.status_code, answer.content) == (200, (folder / name).read_bytes()), name
            plain = name in ("log.vkey", "successions")
            assert answer.headers["content-type"] == (
                "text/plain; charset=utf-8" if plain else "application/octet-stream"
            )
            assert ("immutable" in answer.headers["cache-control"]) is not plain
        answer = await http.get(f"{address}/checkpoint")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
    beside = verify_folder(folder, Keys([key]), lambda *_: None)
    found = await verified(address, token, key)
    # Other tests' sources may have kept versions from this log for good.
    assert (found.problems, found.trust) == (beside.problems, beside.trust) == ([], Trust.PINNED)
    assert found.warnings == beside.warnings
    assert found.exit_code == right(found)
    assert found.size >= beside.size
    assert (await verified(address + "/", token)).trust is Trust.EMBEDDED
    other = VerifierKey(key.name, bytes(32))
    assert "not signed by the pinned key" in (await verified(address, token, other)).problems[0]


async def test_records_of_all_tenants_are_for_whom_the_settings_name(
    *,
    address: str,
    folder: Path,
    key: VerifierKey,
    channel: grpc.aio.Channel,
    entries: EntryServiceStub,
    identity: StandInIdentity,
    system_auditor: Person,
    person: Person,
) -> None:
    token = identity.access(person)
    with pytest.raises(Malformed, match=r"403.*CHENU_AUDIT_SYSTEM_AUDITORS"):
        await verified(address, token, key)
    with pytest.raises(Malformed, match="401"):
        await verified(address, "", key)
    (path, *_) = files_in(folder / "tile/entries")
    stub, request = TileServiceStub(channel), GetEntryBundleRequest(path=path)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.GetEntryBundle(request, metadata=identity.as_human(person)).read()
    assert reason_of(refused.value) == "SYSTEM_AUDITOR_REQUIRED"
    me, read = identity.as_human(system_auditor), (folder / "tile/entries" / path).read_bytes()
    parts = [part.data async for part in stub.GetEntryBundle(request, metadata=me)]
    assert b"".join(parts) == read
    wanted = ListEntriesRequest(resource=f"bundle/{path}")

    async def recorded() -> Any:
        return (await entries.ListEntries(wanted, metadata=me)).entries

    found = await soon(recorded, "the reading is recorded")
    assert found[0].event.type == "chenu.audit.entries.read"


@pytest.mark.parametrize(
    "path",
    ["tile/0/999", "tile/7/000", "tile/0/x000/000", "tile/0/000.p/0", "tile/0/000.p/256"],
)
async def test_what_no_tile_is_called_is_not_there(
    *,
    grown: None,
    address: str,
    channel: grpc.aio.Channel,
    identity: StandInIdentity,
    person: Person,
    path: str,
) -> None:
    call = TileServiceStub(channel).GetLogFile(
        GetLogFileRequest(path=path), metadata=identity.as_human(person)
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call.read()
    assert reason_of(refused.value) == "LEAF_NOT_COVERED"
    headers = {"authorization": f"Bearer {identity.access(person)}"}
    async with httpx2.AsyncClient(headers=headers) as http:
        assert (await http.get(f"{address}/{path}")).status_code == 404
        assert (await http.get(f"{address}/../log.pem")).status_code in (400, 404)


async def test_while_no_head_stands_for_a_pruning_an_address_says_so_and_is_not_called_tampered(
    *,
    grown: None,
    address: str,
    key: VerifierKey,
    channel: grpc.aio.Channel,
    service: Service[AuditSettings],
    source: StandInSource,
    publish: Publish,
    identity: StandInIdentity,
    system_auditor: Person,
    tmp_path: Path,
) -> None:
    token, me = identity.access(system_auditor), identity.as_human(system_auditor)
    bundle = source.bundle([an_event(Person()) for _ in range(520)])
    await publish(bundle)
    async with service.worker.work() as tx:
        index = -(-await minimum_index(tx) // 256)
    path = f"{index:03d}"
    request = GetEntryBundleRequest(path=path)
    read = TileServiceStub(channel).GetEntryBundle

    async def is_full() -> bool:
        try:
            await read(request, metadata=me).read()
        except grpc.aio.AioRpcError:
            return False
        return True

    await soon(is_full, "that lowest tile is full")
    late = Folder(service.worker, tmp_path / "late", str(key), tuple)
    async with service.worker.work() as tx:
        await audit_log.lock(tx)  # so that no record of the pruning gets into the log yet
        with background("test"):
            async with service.worker.work() as pruning:
                assert await prune_before(pruning, (index + 1) * 256, "test-rule") > 0
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await read(request, metadata=me).read()
        assert reason_of(refused.value) == "LOG_BEING_PRUNED"
        assert await late.publish() == 0
    await soon(late.publish, "a head stands for the record of the pruning")
    found = await verified(address, token, key)
    beside = verify_folder(tmp_path / "late", Keys([key]), lambda *_: None)
    assert found.problems == beside.problems == []
    assert any("pruned as the log itself says" in note for note in found.notes)
    with pytest.raises(grpc.aio.AioRpcError) as gone:
        await read(request, metadata=me).read()
    assert reason_of(gone.value) == "LEAF_NOT_COVERED"


async def test_an_address_that_answers_not_now_is_to_be_asked_once_more() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b'{"detail":"the log is being pruned: try again in a few seconds"}'
        head = f"HTTP/1.1 503 Busy\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Malformed, match="cannot be had now: the log is being pruned: try"):
            await verified(f"http://127.0.0.1:{port}/log", "")


async def test_an_address_where_nobody_answers_is_nothing_that_can_be_checked() -> None:
    with pytest.raises(Malformed, match="cannot be read"):
        await verified("http://127.0.0.1:9/log", "")


def test_a_token_is_for_its_own_server_only() -> None:
    own = "http://127.0.0.1:8080"
    assert same_server("http://127.0.0.1:8080/api/v2/audit/log", own)
    for other in ("http://127.0.0.1:8081/", "https://127.0.0.1:8080/", "http://a@127.0.0.1:8080/"):
        assert not same_server(other, own)
