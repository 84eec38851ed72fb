"""Makes an evidence file: what is on record here, and what the log proves of it.

The document is named by its digest in an event of its own, and the file is whole once that event
is in the log: so the log's key alone vouches for every byte, and whatever was committed before it
is in the log, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Final

from chenu.audit.v1.entry_service_pb2 import WatchEntriesRequest
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.export_pb2 import EXPORT_FORMAT_JSONL
from chenu.audit.v1.export_service_pb2 import ExportEntriesRequest
from chenu.audit.v1.export_service_pb2_grpc import ExportServiceStub
from chenu_gate.canonical_json import digest, write
from kernel.caller import Caller
from kernel.context import current, new_id
from kernel.database import Database
from services.governance.clock import Clock
from services.governance.evidence import audit_events, built_in_rules, reading
from services.governance.evidence.agreement import told_alike
from services.governance.evidence.document import Texts, document, open_rules
from services.governance.evidence.errors import EvidenceNotLogged
from services.governance.policy import rule_documents
from services.governance.policy.rules import RuleSet, words_of

_ATTEMPTS: Final = 5
_LOG_SECONDS: Final = 20.0
_MARGIN_SECONDS: Final = 1.0
_PIECE_BYTES: Final = 256 << 10


class Evidence:
    """The use case of the evidence service."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        entries: EntryServiceStub,
        exports: ExportServiceStub,
        built_in: RuleSet,
    ) -> None:
        self._database, self._clock, self._built_in = database, clock, built_in
        self._entries, self._exports = entries, exports

    async def export(
        self, caller: Caller, kind: str, value: str, *, whole: bool
    ) -> AsyncIterator[bytes]:
        """The pieces of the file; nothing is sent before all of it is known to be in the log."""
        for _ in range(_ATTEMPTS):
            async with self._database.transaction(caller) as tx:
                rows = await reading.decisions(tx, caller, kind, value, self._clock.offset)
                rules = await reading.rules(tx, rows) if whole else []
                older = await built_in_rules.named(tx, rows) if whole else []
            evidence_id, texts = new_id(), Texts()
            subject = f"{kind.removesuffix('_id')}/{value}"
            now = datetime.now(UTC).isoformat()
            said = document(evidence_id, now, caller, subject, rows, texts)
            await self._logged(caller, said)
            records = await self._records(evidence_id, said["decisions"])
            if told_alike(records, rows):
                break
            # Something happened while it was exported: once more, so that the two agree.
        else:
            raise EvidenceNotLogged
        file = b'{"evidence":%b}\n' % write(said)
        if whole:
            open_rules(said, [*older, *await asyncio.to_thread(self._words, rules)], texts)
            file += b'{"texts":%b}\n' % write(texts.opened)
        file += records
        for start in range(0, len(file), _PIECE_BYTES):
            yield file[start : start + _PIECE_BYTES]

    def _words(self, documents: Iterable[Mapping[str, Any]]) -> list[bytes]:
        """What the rules say; in a thread, since there may be thousands."""
        built_in = words_of(self._built_in.rules)
        return list(dict.fromkeys([built_in, *map(rule_documents.hashed, documents)]))

    async def _logged(self, caller: Caller, said: dict[str, Any]) -> None:
        """Record the export, and wait until that record has entered the log."""
        evidence_id = said["evidence_id"]
        wanted = WatchEntriesRequest(filter=f'resource = "evidence/{evidence_id}"')
        entering: Any = self._entries.WatchEntries(wanted)
        async with aclosing(entering):
            try:
                async with asyncio.timeout(_seconds()):
                    await anext(entering)  # from now on it sees what enters
                    async with self._database.transaction(caller) as tx:
                        tx.emit(
                            audit_events.evidence_exported(
                                evidence_id,
                                document=digest(write(said)),
                                decisions=[one["decision_id"] for one in said["decisions"]],
                            )
                        )
                    async for answer in entering:
                        if answer.HasField("entry"):
                            return
            except TimeoutError:
                pass
        raise EvidenceNotLogged

    async def _records(self, evidence_id: str, decisions: Iterable[dict[str, Any]]) -> bytes:
        """The log's own export of every record about them, with their proofs."""
        subjects = [f"evidence/{evidence_id}"]
        for one in decisions:
            subjects.append(f"decision/{one['decision_id']}")
            if one["checkpoint"]:
                subjects.append(f"checkpoint/{one['checkpoint']['checkpoint_id']}")
        wanted = ExportEntriesRequest(format=EXPORT_FORMAT_JSONL, resources=subjects)
        pieces: Any = self._exports.ExportEntries(wanted)
        return b"".join([piece.data async for piece in pieces])


def _seconds() -> float:
    """How long the log may take: so long that the caller still hears of it when it does not."""
    remaining = current().remaining()
    return min(_LOG_SECONDS, (remaining or _LOG_SECONDS) - _MARGIN_SECONDS)
