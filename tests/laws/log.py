"""The audit log as nobody's word is taken for it: recomputed, and compared with every outbox."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc

from chenu.audit.v1.entry_service_pb2 import ListEntriesRequest
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.log_service_pb2 import GetTreeHeadRequest, ListLeafHashesRequest
from chenu.audit.v1.log_service_pb2_grpc import LogServiceStub
from deploy.postgres.roles import SERVICES
from kernel.receipts import VerifierKey, leaf_hash, open_tree_head, root_of
from tests.support.identity import Metadata
from tests.support.waiting import PATIENCE, soon

UNLOGGED = """
    SELECT '{service}' AS service, o.id::text AS id FROM {service}.outbox o
    WHERE o.seq <= $1 AND NOT EXISTS (
        SELECT FROM audit.entries e WHERE e.event_id = o.id AND e.source = 'chenu/{service}'
        AND e.leaf = o.event AND e.kind = 'event')"""
HOLES = """
    SELECT stream, count(*) AS entries, min(version) AS first, max(version) AS last FROM (
        SELECT stream, (convert_from(leaf, 'UTF8')::jsonb #>> '{data,version}')::bigint AS version
        FROM audit.entries WHERE kind = 'event' AND stream <> '') AS versions
    GROUP BY stream HAVING min(version) <> 1 OR max(version) <> count(*)
        OR count(DISTINCT version) <> count(*)"""


async def verify(channel: grpc.aio.Channel, metadata: Metadata, keys: Path) -> Sequence[bytes]:
    """Check signature, root and the caller's own entries; returns all leaf hashes."""
    key = VerifierKey.parse((keys / "log.vkey").read_text().strip())
    log, entries = LogServiceStub(channel), EntryServiceStub(channel)
    answer = await log.GetTreeHead(GetTreeHeadRequest(), metadata=metadata)
    head = open_tree_head(answer.tree_head, [key])
    hashes: list[bytes] = []
    while len(hashes) < head.size:
        page = await log.ListLeafHashes(
            ListLeafHashesRequest(start_index=len(hashes), page_size=8192), metadata=metadata
        )
        assert page.hashes, "the log has fewer leaves than its head says"
        hashes += [page.hashes[at : at + 32] for at in range(0, len(page.hashes), 32)]
    hashes = hashes[: head.size]
    assert root_of(hashes) == head.root, "the root is not that of the leaves"
    request = ListEntriesRequest(page_size=500)
    while True:
        listed = await entries.ListEntries(request, metadata=metadata)
        for entry in listed.entries:
            assert leaf_hash(entry.leaf) == entry.leaf_hash, "an entry is not what was hashed"
            if entry.index < head.size:
                assert hashes[entry.index] == entry.leaf_hash, "an entry is not in the log"
        if not listed.next_page_token:
            return hashes
        request.page_token = listed.next_page_token


async def written(superuser: Any) -> dict[str, int]:
    """How far each service's outbox has come."""
    return {
        service: await superuser.fetchval(f"SELECT coalesce(max(seq), 0) FROM {service}.outbox")
        for service in SERVICES
    }


async def all_logged(superuser: Any, seconds: float = PATIENCE) -> None:
    """Wait until every event that is committed now stands in the log, byte for byte and once."""
    until = await written(superuser)

    async def nothing_missing() -> bool:
        for service, seq in until.items():
            if await superuser.fetch(UNLOGGED.format(service=service) + " LIMIT 1", seq):
                return False
        return True

    await soon(nothing_missing, "every event is in the log", seconds)
    assert await superuser.fetch(HOLES) == []
    for kind in ("conflict", "quarantine"):
        found = "SELECT count(*) FROM audit.entries WHERE kind = $1"
        assert await superuser.fetchval(found, kind) == 0, kind
