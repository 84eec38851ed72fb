"""Checking an export with nothing but the file and a key: every byte of it, in one passage.

The manifest's signature; which records it promises; then each of them against the signed tree
head, by the tiles that a whole export carries or the path that each record of a filtered one has.
"""

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final

from cli.verification.completeness import NOT_LOOKED_FOR, Completeness
from cli.verification.export_lines import canonical, open_export
from cli.verification.keys import Keys
from cli.verification.opened import Opened
from cli.verification.search import EarlierHeads, Search
from cli.verification.tiles import HASH_BYTES, TILE_WIDTH, Tiles, split
from cli.verification.verdict import Malformed, Progress, Tampered, Verdict
from kernel.receipts import ReceiptInvalid, TreeHead, check_inclusion, leaf_hash

VERSION: Final = "chenu.export.v1"
Seen = Callable[[int, bytes], None]
"""Told of each record that is proved: its place and its bytes."""
_SHOWN: Final = 500
_TOLD: Final = 4096


def verify_export(path: Path, keys: Keys, tell: Progress) -> Verdict:
    """Check a file; Malformed where it is no export that can be checked."""
    verdict = Verdict("export")
    with path.open("rb") as stream:
        try:
            check_export(stream, keys, verdict, tell)
        except Tampered as problem:
            verdict.add(problem)
    return verdict


def check_export(
    stream: BinaryIO, keys: Keys, verdict: Verdict, tell: Progress, seen: Seen = lambda *_: None
) -> None:
    """Check what a stream holds; Tampered at the first thing that is wrong."""
    _Check(stream, keys, verdict, tell, seen).run()


class _Check:
    def __init__(
        self, stream: BinaryIO, keys: Keys, verdict: Verdict, tell: Progress, seen: Seen
    ) -> None:
        self._lines, self._keys = open_export(stream), keys
        self._verdict, self._tell, self._seen = verdict, tell, seen
        self._count = 0
        self._opened: Opened | None = None
        self._completeness: Completeness | None = None

    def run(self) -> None:
        """From the first line to the end of the file."""
        first = self._lines.structure("manifest")
        manifest = first.get("manifest")
        if not isinstance(manifest, dict) or manifest.get("version") != VERSION:
            raise Malformed("an export of another version than this command knows")
        try:
            head, ranges = self._promised(manifest, first)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise Tampered(None, f"the manifest is not as an export writes it ({error})") from None
        indexes = (index for first, last in ranges for index in range(first, last + 1))
        if manifest["proofs"] == "tiles":
            self._whole(head, indexes)
        else:
            self._filtered(head, indexes)
        self._lines.next_index = ranges[-1][1] if ranges else None
        self._lines.end()
        self._note(manifest["proofs"], head)

    def _promised(
        self, manifest: dict[str, Any], line: dict[str, Any]
    ) -> tuple[TreeHead, list[tuple[int, int]]]:
        signatures = line["signatures"]
        offered = manifest["key"] if signatures else ""
        trusted = self._keys.trusting(self._verdict, offered, manifest["successions"])
        if set(line) != {"manifest", "signatures"}:
            raise Tampered(None, "the manifest's line says more than was signed")
        if signatures or trusted.keys:
            trusted.note(f"{canonical(manifest)}\n\n{signatures}", "the manifest")
        head = trusted.head(manifest["tree_head"])
        if head.size != manifest["tree_size"]:
            raise Tampered(None, "the manifest's tree head is of another size than it says")
        if "witnessed_tree_head" in manifest:
            path = self._lines.decoded(manifest["witnessed_path"].encode())
            trusted.witnessed(manifest["witnessed_tree_head"], split(path), head)
        self._heads = EarlierHeads(trusted, manifest.get("earlier_heads", ()), head)
        self._count, self._filters = int(manifest["records"]), manifest["filters"]
        self._completeness = _judged(manifest)
        self._opened = None if manifest["redacted"] else Opened(self._lines)
        return head, self._ranges(manifest, head.size)

    def _ranges(self, manifest: dict[str, Any], size: int) -> list[tuple[int, int]]:
        """The records that the export promises, which the manifest holds the digest of."""
        ranges: list[tuple[int, int]] = []
        digest, found = sha256(), 0
        while found < self._count:
            document = self._lines.structure("indexes")
            text = document.get("indexes")
            if not isinstance(text, str) or len(document) != 1:
                raise Tampered(None, "the list of the records in it is broken")
            digest.update((("," if ranges else "") + text).encode())
            for first, last in _parsed(text):
                if first > last or last >= size or (ranges and first <= ranges[-1][1]):
                    raise Tampered(first, "the list of the records in it is out of order")
                ranges.append((first, last))
                found += last - first + 1
        if found != self._count or f"sha256:{digest.hexdigest()}" != manifest["indexes"]:
            raise Tampered(None, "the list of the records in it is not the signed one")
        return ranges

    def _whole(self, head: TreeHead, indexes: Iterator[int]) -> None:
        tiles = Tiles(head.size, head.root)
        for level, index, width in tiles.upper():
            tiles.add(level, index, self._tile(level, index, width))
        search = Search(self._heads, tiles.problem(), tiles.above)
        waiting = next(indexes, None)
        for tile in range(-(-head.size // TILE_WIDTH)):
            full = (tile + 1) * TILE_WIDTH <= head.size
            with search.reading():
                held = split(self._tile(0, tile, TILE_WIDTH) if full else tiles.last)
            broken: Tampered | None = None
            leaves: dict[int, bytes] = {}
            try:
                while waiting is not None and waiting // TILE_WIDTH == tile:
                    leaves[waiting] = self._leaf(waiting)
                    waiting = next(indexes, None)
            except Tampered as flaw:
                broken = flaw
            own = {index % TILE_WIDTH: leaf_hash(leaf) for index, leaf in leaves.items()}
            search.tile(held, own, broken)
            self._verdict.hashes += len(held)
            for index, leaf in leaves.items() if search.sound else ():
                if self._completeness is not None:
                    self._completeness.look(index, leaf)
                self._proved(index, leaf)
        search.end()

    def _leaf(self, index: int) -> bytes:
        self._lines.next_index = index
        leaf, _ = self._lines.record(index, path=False)
        if self._opened is not None:
            self._opened.check(index, leaf)
        return leaf

    def _filtered(self, head: TreeHead, indexes: Iterator[int]) -> None:
        for index in indexes:
            self._lines.next_index = index
            leaf, path = self._lines.record(index, path=True)
            try:
                check_inclusion(index, head.size, leaf_hash(leaf), path, head.root)
            except ReceiptInvalid as error:
                raise Tampered(index, f"it is not proved to be in the log: {error}") from None
            if self._opened is not None:
                self._opened.check(index, leaf)
            self._proved(index, leaf)

    def _proved(self, index: int, leaf: bytes) -> None:
        self._seen(index, leaf)
        self._verdict.records += 1
        if self._verdict.records % _TOLD == 0:
            self._tell("records", self._verdict.records, self._count)

    def _tile(self, level: int, index: int, width: int) -> bytes:
        lines = self._lines
        lines.next_index = index << 8 * (level + 1)
        document = lines.structure("tile")
        text = document.get("hashes")
        hashes = lines.decoded(text.encode()) if isinstance(text, str) else b""
        if set(document) != {"hashes", "tile"} or document["tile"] != f"{level}/{index}":
            raise lines.wrong(f"another line stands where tile {level}/{index} belongs")
        if len(hashes) != width * HASH_BYTES:
            raise lines.wrong(f"tile {level}/{index} does not hold {width} hashes")
        return hashes

    def _note(self, proofs: str, head: TreeHead) -> None:
        notes = self._verdict.notes
        if proofs == "tiles":
            notes.append(f"whole: every leaf hash is here, of {head.size - self._count} records"
                         " the hash alone")  # fmt: skip
        else:
            notes.append("filtered: that nothing else matches the filter is the log's own word")
        if self._completeness is not None:
            self._verdict.warnings = self._completeness.warnings()
        if self._completeness is None or not self._completeness.streams:
            notes.append(f"{NOT_LOOKED_FOR} auditor's whole export")
        if self._opened is not None:
            notes.append(self._opened.told())
        if self._filters:
            filters = canonical(self._filters)
            notes.append(
                f"filters: {filters if len(filters) <= _SHOWN else filters[:_SHOWN] + '…'}"
            )


def _judged(manifest: dict[str, Any]) -> Completeness | None:
    """What looks for missing records, where the export holds enough of the log to tell."""
    if manifest["proofs"] != "tiles":
        return None
    # Of a stream that several identities write, one of them sees a part.
    tenants = manifest.get("requester", {}).get("sees") == "tenant"
    return Completeness(streams=tenants, pruned=manifest.get("minimum_index", 1) > 0)


def _parsed(text: str) -> Iterator[tuple[int, int]]:
    for part in text.split(","):
        first, dash, last = part.partition("-")
        yield int(first), int(last if dash else first)
