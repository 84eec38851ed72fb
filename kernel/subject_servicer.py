"""What every service that keeps people's plain text serves to audit: forgetting a person.

    add(add_SubjectServiceServicer_to_server, SubjectServicer(service.name, service.worker))

What that means is one function of the service's schema, made by a migration with
`create_eraser`; the record of it commits with it.
"""

from typing import Any, Final

from chenu.events.v1 import subject_service_pb2 as messages
from chenu.events.v1.audit_event_pb2 import AUDIT_ACTION_DELETE
from chenu.events.v1.subject_service_pb2_grpc import SubjectServiceServicer
from kernel.audit_event import record
from kernel.database import Database
from kernel.statement import Statement

# However long other statements may take: one person may have written millions of rows.
_PATIENCE: Final = Statement("SELECT set_config('statement_timeout', '300s', true)")
_ERASE: Final = Statement("SELECT erase_subject(:tenant, :person, CAST(:identities AS uuid[]))")


class SubjectServicer(SubjectServiceServicer):
    """Erases from one service's tables; who may call stands in the proto."""

    def __init__(self, service: str, worker: Database) -> None:
        self._service, self._worker = service, worker

    async def EraseSubject(
        self, request: messages.EraseSubjectRequest, _context: Any
    ) -> messages.EraseSubjectResponse:
        async with self._worker.work() as tx:
            tx.limit = 305.0
            await tx.fetch(_PATIENCE)
            row = await tx.fetch_one(
                _ERASE, tenant=request.tenant_id, person=request.person_id,
                identities=list(request.identity_ids),
            )  # fmt: skip
            rows = int(row[0]) if row else 0
            tx.keep(record(
                source=self._service, type="subject.erased", action=AUDIT_ACTION_DELETE,
                subject=f"user/{request.person_id}", tenant=request.tenant_id,
                details={"rows": str(rows)},
            ))  # fmt: skip
        return messages.EraseSubjectResponse(rows=rows)
