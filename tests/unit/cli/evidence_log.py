"""A log of a few records, as audit exports it."""

from collections.abc import Mapping, Sequence
from typing import Any

from kernel.receipts import TreeHead, leaf_hash, root_of
from services.audit.exports.lines import Jsonl, hashes_text
from services.audit.exports.manifest import Selection, canonical, signed
from services.audit.note import NoteSigner, sign_tree_head


def export(signer: NoteSigner, events: Sequence[Mapping[str, Any]]) -> bytes:
    """All of it, in lines that can be verified."""
    leaves = [canonical(event).encode() for event in events]
    hashes = [leaf_hash(leaf) for leaf in leaves]
    head = TreeHead(signer.name, len(leaves), root_of(hashes))
    chosen = Selection.of(range(len(leaves)))
    manifest = {
        "version": "chenu.export.v1",
        "successions": [],
        "filters": {},
        "proofs": "tiles",
        "records": len(leaves),
        "indexes": chosen.digest,
        "tree_head": sign_tree_head(head, [signer]),
        "tree_size": len(leaves),
        "key": str(signer.verifier_key),
        "format": "jsonl",
        "export": "1",
        "redacted": True,
    }
    lines = Jsonl()
    parts = [lines.structure("manifest", signed(manifest, [signer]))]
    parts += [lines.structure("indexes", canonical({"indexes": one})) for one in chosen.pieces]
    tile = {"hashes": hashes_text(b"".join(hashes)), "tile": "0/0"}
    parts.append(lines.structure("tile", canonical(tile)))
    parts += [lines.record(index, leaf, None) for index, leaf in enumerate(leaves)]
    return b"".join(parts)
