"""`python -m services.audit`: the wiring, by hand, in order."""

import asyncio
from functools import partial

from chenu.audit.v1.alert_service_pb2_grpc import add_AlertServiceServicer_to_server
from chenu.audit.v1.entry_service_pb2_grpc import add_EntryServiceServicer_to_server
from chenu.audit.v1.export_service_pb2_grpc import add_ExportServiceServicer_to_server
from chenu.audit.v1.log_service_pb2_grpc import add_LogServiceServicer_to_server
from chenu.audit.v1.retention_service_pb2_grpc import add_RetentionServiceServicer_to_server
from chenu.audit.v1.tile_service_pb2_grpc import add_TileServiceServicer_to_server
from kernel.service import Program, Service, main
from services.audit.alert_servicer import AlertServicer
from services.audit.consumer import consume
from services.audit.entries import Entries
from services.audit.erasures import Erasures
from services.audit.exports.exporter import Exporter
from services.audit.exports.servicer import ExportServicer
from services.audit.intake import Intake
from services.audit.keys import open_log_keys, successions
from services.audit.log_files import LogFiles
from services.audit.personal import SubjectKeys
from services.audit.publishing import asked_witnesses, publish_log
from services.audit.receipts import Receipts, Sources
from services.audit.reports import Reports
from services.audit.retention import Retention
from services.audit.retention_servicer import RetentionServicer
from services.audit.servicers import EntryServicer, LogServicer
from services.audit.settings import AuditSettings
from services.audit.streams import Holes
from services.audit.system_auditors import SystemAuditors
from services.audit.tile_servicer import TileServicer
from services.audit.watch import Watch
from services.audit.watching import watch


async def assemble(service: Service[AuditSettings]) -> None:
    """Put the service together."""
    shared, settings = service.shared, service.settings
    public = shared.log_key_file or shared.keys_dir / "log.vkey"
    private = settings.log_key or shared.keys_dir / "log.pem"
    signers = open_log_keys(private, public, settings.origin)
    named = partial(successions, public)
    keys = SubjectKeys(service.channels)
    sources = Sources(service.channels)
    intake = Intake(service.worker, signers, sources.fetch)
    receipts = Receipts(service.worker, sources, intake)
    holes = Holes(service.worker, sources.versions, intake.add)
    auditors = SystemAuditors(settings.system_auditors)
    service.add_servicer(
        add_EntryServiceServicer_to_server,
        EntryServicer(
            Entries(service.database, service.page_tokens, keys, auditors),
            Watch(
                service.database,
                service.worker,
                service.page_tokens,
                service.stopping,
                seconds=settings.stream_seconds,
                heartbeat=settings.heartbeat_seconds,
            ),
            Reports(service.database, service.worker),
        ),
    )
    service.add_servicer(
        add_LogServiceServicer_to_server,
        LogServicer(service.worker, signers[0].verifier_key, named),
    )
    key = str(signers[0].verifier_key)
    files = LogFiles(
        service.database,
        service.worker,
        auditors,
        key,
        named,
        witnessed=bool(asked_witnesses(settings)),
    )
    service.add_servicer(add_TileServiceServicer_to_server, TileServicer(files))
    exporter = Exporter(service.database, service.worker, signers, named, keys)
    service.add_servicer(add_ExportServiceServicer_to_server, ExportServicer(exporter))

    service.add_servicer(
        add_AlertServiceServicer_to_server,
        AlertServicer(service.worker, service.page_tokens, auditors),
    )

    retention = Retention(service.database, service.worker, days=settings.retention_days)
    erasures = Erasures(
        service.database, service.worker, keys, service.channels, service.page_tokens
    )
    service.add_servicer(
        add_RetentionServiceServicer_to_server, RetentionServicer(retention, erasures)
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

    await publish_log(service, signers, named)
    service.background("audit.watch", keep_watch)
    service.background("audit.retention", retention.prune_forever)
    service.background("audit.erasures", partial(erasures.sweep_forever, settings.erasure_seconds))
    service.background("audit.consumer", lambda: consume(service.messaging, intake))
    service.background("audit.receipts", send_receipts)


PROGRAM = Program("audit", AuditSettings, assemble)

if __name__ == "__main__":
    main(PROGRAM)
