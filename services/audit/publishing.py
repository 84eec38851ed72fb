"""Brings the log to others: its folder of tiles, its witnesses; and tells when its keys change."""

import asyncio
from collections.abc import Sequence
from typing import Final

from kernel.context import background
from kernel.database import Database
from kernel.receipts import split_note
from kernel.service import Service
from services.audit import audit_events, log
from services.audit.errors import LeafNotCovered
from services.audit.folder import Folder
from services.audit.keys import read_keys
from services.audit.note import NoteSigner
from services.audit.settings import AuditSettings
from services.audit.witnesses import Witnesses, close_left_behind, thin_cosignatures

_THIN_SECONDS: Final = 3600.0


async def publish_log(
    service: Service[AuditSettings], signers: Sequence[NoteSigner], named: log.Successions
) -> None:
    """Start what the settings ask for."""
    shared, settings = service.shared, service.settings
    urls = asked_witnesses(settings)
    with background("audit.keys"):
        await record_keys(service.worker, signers)
        await close_left_behind(service.worker, urls)

    async def ask_witnesses() -> None:
        path = settings.witness_key_file or shared.keys_dir / "witness.vkey"
        witnesses = Witnesses(service.worker, urls, read_keys(path))
        while True:
            await witnesses.ask()
            await asyncio.sleep(settings.witness_seconds)

    async def publish_tiles() -> None:
        assert settings.tiles_dir is not None  # noqa: S101 - it is not started otherwise
        key = str(signers[0].verifier_key)
        folder = Folder(service.worker, settings.tiles_dir, key, named, witnessed=bool(urls))
        while True:
            await folder.publish()
            await asyncio.sleep(settings.tiles_seconds)

    async def thin() -> None:
        while True:
            async with service.worker.work() as tx:
                await thin_cosignatures(tx)
            gone = 1
            while gone:
                async with service.worker.work() as tx:
                    gone = await log.thin_heads(tx)
            await asyncio.sleep(_THIN_SECONDS)

    service.background("audit.thinning", thin)
    if urls:
        service.background("audit.witnesses", ask_witnesses)
    if settings.tiles_dir is not None:
        service.background("audit.tiles", publish_tiles)


def asked_witnesses(settings: AuditSettings) -> Sequence[str]:
    """The addresses of the witnesses that are to cosign."""
    return settings.witness_urls.replace(",", " ").split()


async def record_keys(worker: Database, signers: Sequence[NoteSigner]) -> None:
    """Put into the log that from now on other keys sign it than those that signed its last head."""
    now = {signer.verifier_key.id.hex() for signer in signers}
    async with worker.work() as tx:
        try:
            _, _, note = await log.latest_head(tx)
        except LeafNotCovered:
            return
        before = {key_id.hex() for _, key_id, _ in split_note(note)[1]}
        if before != now:
            tx.keep(audit_events.keys_changed(sorted(before), sorted(now)))
