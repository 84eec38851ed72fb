"""`python -m services.audit`: the wiring, by hand, in order."""

import asyncio

from chenu.audit.v1.alert_service_pb2_grpc import add_AlertServiceServicer_to_server
from chenu.audit.v1.entry_service_pb2_grpc import add_EntryServiceServicer_to_server
from chenu.audit.v1.log_service_pb2_grpc import add_LogServiceServicer_to_server
from kernel.service import Program, Service, main
from services.audit.alert_servicer import AlertServicer
from services.audit.consumer import consume
from services.audit.entries import Entries
from services.audit.intake import Intake
from services.audit.keys import open_log_key
from services.audit.receipts import Receipts, Sources
from services.audit.servicers import EntryServicer, LogServicer
from services.audit.settings import AuditSettings
from services.audit.streams import Holes
from services.audit.watching import watch


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
    holes = Holes(service.worker, sources.versions, intake.add)
    service.add_servicer(
        add_EntryServiceServicer_to_server,
        EntryServicer(Entries(service.database, service.page_tokens)),
    )
    service.add_servicer(
        add_LogServiceServicer_to_server,
        LogServicer(service.worker, str(signer.verifier_key)),
    )

    service.add_servicer(
        add_AlertServiceServicer_to_server, AlertServicer(service.worker, service.page_tokens)
    )

    async def send_receipts() -> None:
        # Not after each batch: a source may wait for hours, and one receipt covers all before it.
        while True:
            await asyncio.sleep(settings.receipt_seconds)
            await receipts.send()

    async def keep_watch() -> None:
        await watch(
            service.worker,
            holes,
            every_seconds=settings.watch_seconds,
            silent_seconds=settings.silent_seconds,
        )

    service.background("audit.watch", keep_watch)
    service.background("audit.consumer", lambda: consume(service.messaging, intake))
    service.background("audit.receipts", send_receipts)


PROGRAM = Program("audit", AuditSettings, assemble)

if __name__ == "__main__":
    main(PROGRAM)
