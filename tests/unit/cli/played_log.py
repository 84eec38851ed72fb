"""A log that a test plays to the command: its records, its heads, and what it answers."""

import re
from base64 import b64encode
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chenu.audit.v1.entry_pb2 import Entry
from chenu.audit.v1.entry_service_pb2 import ListEntriesRequest, ListEntriesResponse
from chenu.audit.v1.log_service_pb2 import (
    GetLogKeyResponse,
    GetTileResponse,
    GetTreeHeadResponse,
    ListLeafHashesRequest,
    ListLeafHashesResponse,
    ListTreeHeadsRequest,
    ListTreeHeadsResponse,
)
from chenu.audit.v1.retention_service_pb2 import GetRetentionResponse
from kernel.receipts import TreeHead, VerifierKey, leaf_hash, root_of
from tests.unit.cli.conftest import Recording

ORIGIN: Final = "audit.test/log"


class PlayedLog:
    """A log of `size` records, of which every third is one's own."""

    def __init__(self, size: int = 10) -> None:
        self.private = Ed25519PrivateKey.generate()
        self.key = VerifierKey(ORIGIN, self.private.public_key().public_bytes_raw())
        self.leaves = [f'{{"record":{n}}}'.encode() for n in range(size)]
        self.hashes = [leaf_hash(leaf) for leaf in self.leaves]
        self.entries = [self.entry(n) for n in range(0, size, 3)]
        self.signed: set[int] = set()
        self.of_tenant = False

    def entry(self, index: int) -> Entry:
        entry = Entry(index=index, leaf=self.leaves[index], leaf_hash=self.hashes[index])
        entry.event.type = "chenu.threads.thread.created"
        return entry

    def head(self, size: int | None = None) -> str:
        size = len(self.leaves) if size is None else size
        text = str(TreeHead(ORIGIN, size, root_of(leaf_hash(one) for one in self.leaves[:size])))
        signature = b64encode(self.key.id + self.private.sign(text.encode())).decode()
        return f"{text}\n— {ORIGIN} {signature}\n"

    def play(self, recording: Recording, head: str = "") -> None:
        recording.answer("GetLogKey", GetLogKeyResponse(verifier_key=str(self.key)))
        recording.answer("GetTreeHead", GetTreeHeadResponse(tree_head=head or self.head()))
        recording.answer("ListLeafHashes", self._hashes)
        recording.answer("ListEntries", self._entries)
        recording.answer("ListTreeHeads", self._heads)
        recording.answer("GetRetention", GetRetentionResponse())
        tile = b"".join(leaf_hash(leaf) for leaf in self.leaves)
        recording.answer("GetTile", GetTileResponse(hashes=tile))

    def _heads(self, request: ListTreeHeadsRequest) -> ListTreeHeadsResponse:
        sizes = range(request.after_size + 1, request.before_size)
        return ListTreeHeadsResponse(tree_heads=[self.head(n) for n in sizes if n in self.signed])

    def _hashes(self, request: ListLeafHashesRequest) -> ListLeafHashesResponse:
        page = self.hashes[request.start_index :][: min(request.page_size, 4)]
        return ListLeafHashesResponse(hashes=b"".join(page))

    def _entries(self, request: ListEntriesRequest) -> ListEntriesResponse:
        low, high = map(int, re.findall(r"\d+", request.filter))
        newest_first = [entry for entry in self.entries[::-1] if low <= entry.index < high]
        start = int(request.page_token or 0)
        after = start + 2
        return ListEntriesResponse(
            entries=newest_first[start:after],
            next_page_token=str(after) if after < len(newest_first) else "",
            of_tenant=self.of_tenant,
        )
