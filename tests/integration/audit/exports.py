"""Exports as the tests have them made, and what stands where in them."""

import json
from collections.abc import Callable
from typing import Any

from chenu.audit.v1 import export_service_pb2 as pb
from chenu.audit.v1.export_service_pb2_grpc import ExportServiceStub
from cli.verification.verdict import Verdict

VERIFIABLE = ("jsonl", "cloudevents")
KINDS = [(form, whole) for form in VERIFIABLE for whole in (True, False)]
MINE = 300
Check = Callable[..., Verdict]


async def exported(
    exports: ExportServiceStub, metadata: Any, form: str, **filters: Any
) -> tuple[bytes, pb.ExportEntriesResponse]:
    """The file, and the last piece that was streamed."""
    wanted = f"EXPORT_FORMAT_{form.upper()}"
    data, last = b"", pb.ExportEntriesResponse()
    request = pb.ExportEntriesRequest(format=wanted, **filters)
    async for last in exports.ExportEntries(request, metadata=metadata):
        data += last.data
    return data, last


def lines_of(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def places(data: bytes, form: str, whole: bool) -> list[tuple[int, int]]:
    """(line, index) of each record."""
    manifest = json.loads(lines_of(data)[0])
    manifest = (manifest if form == "jsonl" else manifest["data"])["manifest"]
    at = [n for n, line in enumerate(lines_of(data)) if b'"chenu/threads"' in line
          or b'"chenu/audit","specversion"' in line]  # fmt: skip
    indexes: list[int] = []
    for line in lines_of(data):
        document = json.loads(line)
        document = document.get("data", document)
        if "indexes" in document and "manifest" not in document:
            for part in document["indexes"].split(","):
                first, _, last = part.partition("-")
                indexes += range(int(first), int(last or first) + 1)
    assert len(at) == len(indexes) == manifest["records"]
    return list(zip(at, indexes, strict=True))
