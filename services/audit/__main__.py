"""`python -m services.audit`: the wiring, by hand, in order."""

import asyncio

from chenu.audit.v1.entry_service_pb2_grpc import add_EntryServiceServicer_to_server
from chenu.audit.v1.log_service_pb2_grpc import add_LogServiceServicer_to_server
from kernel.service import Program, Service, main
from services.audit.consumer import consume
from services.audit.entries import Entries
from services.audit.intake import Intake
from services.audit.keys import open_log_key
from services.audit.receipts import Receipts, Sources
from services.audit.servicers import EntryServicer, LogServicer
from services.audit.settings import AuditSettings


async def assemble(service: Service[AuditSettings]) -> None:
    """Put the service together."""
    shared, settings = service.shared, service.settings
    signer = open_log_key(
        settings.log_key or shared.keys_dir / "log.pem",
        shared.log_key_file or shared.keys_dir / "log.vkey",
        settings.origin,
    )
    sources = Sources(service.channels)
    intake = Intake(service.worker, signer, sources.fetch)
    receipts = Receipts(service.worker, sources)
    service.add_servicer(
        add_EntryServiceServicer_to_server,
        EntryServicer(Entries(service.database, service.page_tokens)),
    )
    service.add_servicer(
        add_LogServiceServicer_to_server,
        LogServicer(service.worker, str(signer.verifier_key)),
    )

    async def send_receipts() -> None:
        # Not after each batch: a source may wait for hours, and one receipt covers all before it.
        while True:
            await asyncio.sleep(settings.receipt_seconds)
            await receipts.send()

    service.background("audit.consumer", lambda: consume(service.messaging, intake))
    service.background("audit.receipts", send_receipts)


PROGRAM = Program("audit", AuditSettings, assemble)

if __name__ == "__main__":
    main(PROGRAM)
