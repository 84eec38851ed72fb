"""A service that records events, as audit sees one: bundles, and the source interface."""

import json
import time
from collections.abc import Sequence
from typing import Any, Self
from uuid import uuid4

import grpc

from chenu.events.v1.bundle_pb2 import Bundle, Manifest, Receipt
from chenu.events.v1.source_service_pb2 import (
    GetBundleResponse,
    ListVersionsResponse,
    ReleaseBundlesResponse,
)
from chenu.events.v1.source_service_pb2_grpc import (
    SourceServiceServicer,
    add_SourceServiceServicer_to_server,
)
from kernel.receipts import leaf_hash, root_of
from tests.support.identity import Person


def an_event(person: Person, *, source: str = "chenu/threads", **changes: Any) -> bytes:
    """Canonical bytes of a believable event; `changes` replace members of its data."""
    data = {
        "action": "AUDIT_ACTION_CREATE",
        "actor": {"kind": "human", "person": person.person, "identity": person.identity},
        "method": "/chenu.threads.v1.ThreadService/CreateThread",
        "outcome": "OK",
        "phase": "PHASE_DONE",
        "sphere": "personal",
    }
    event = {
        "specversion": "1.0",
        "id": changes.pop("id", str(uuid4())),
        "source": source,
        "type": "chenu.threads.thread.created",
        "time": "2026-11-22T00:00:00Z",
        "subject": changes.pop("subject", f"thread/{uuid4()}"),
        "datacontenttype": "application/json",
        "tenant": person.tenant,
        "identity": person.identity,
        "data": data | changes,
    }
    return json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class StandInSource(SourceServiceServicer):
    """Numbers bundles, gives them out again, and keeps the receipts it gets."""

    def __init__(self, service: str) -> None:
        self.service, self.address = service, ""
        self.source = f"chenu/{service}"
        self.bundles: dict[int, bytes] = {}
        self.receipts: list[Receipt] = []
        self.streams: dict[str, list[bytes]] = {}
        """Events by stream, for who asks for versions."""
        # As a relay's: whoever comes after another on one database counts anew.
        self.generation = time.time_ns() // 10**6
        self.silent = False
        """While set, it has no bundle for anyone who asks."""
        self._server: grpc.aio.Server | None = None

    def bundle(self, events: Sequence[bytes]) -> bytes:
        """The next bundle."""
        number = len(self.bundles) + 1
        manifest = Manifest(
            source=self.source,
            generation=self.generation,
            number=number,
            count=len(events),
            root=root_of(leaf_hash(event) for event in events),
        )
        bundle = Bundle(manifest=manifest.SerializeToString(deterministic=True), events=events)
        self.bundles[number] = bundle.SerializeToString(deterministic=True)
        return self.bundles[number]

    async def GetBundle(self, request: Any, context: Any) -> GetBundleResponse:
        data = self.bundles.get(request.number)
        if self.silent or data is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such bundle")
        return GetBundleResponse(bundle=Bundle.FromString(data or b""))

    async def ListVersions(self, request: Any, context: Any) -> ListVersionsResponse:
        return ListVersionsResponse(events=self.streams.get(request.stream, ()))

    async def ReleaseBundles(self, request: Any, _context: Any) -> ReleaseBundlesResponse:
        self.receipts.append(request.receipt)
        return ReleaseBundlesResponse(released_number=request.receipt.number)

    async def __aenter__(self) -> Self:
        self._server = grpc.aio.server()
        add_SourceServiceServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            await self._server.stop(0)
