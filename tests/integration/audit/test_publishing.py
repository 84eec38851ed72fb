"""Which keys sign the log is itself in the log."""

from functools import partial

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from kernel.context import background
from kernel.service import Service
from services.audit.keys import open_log_keys
from services.audit.note import NoteSigner
from services.audit.publishing import record_keys
from services.audit.settings import AuditSettings
from tests.integration.audit.listing import Publish, listed
from tests.support.identity import Person, StandInIdentity
from tests.support.source import StandInSource, an_event
from tests.support.waiting import soon

FOUND = (
    "SELECT convert_from(leaf, 'UTF8') FROM audit.entries WHERE type = $1 AND leaf::text LIKE $2"
)


async def test_that_other_keys_sign_than_before_is_recorded_once_they_do(
    entries: EntryServiceStub,
    identity: StandInIdentity,
    source: StandInSource,
    publish: Publish,
    service: Service[AuditSettings],
    superuser: asyncpg.Connection,
) -> None:
    person, keys = Person(), service.shared.keys_dir
    await publish(source.bundle([an_event(person)]))
    await listed(entries, identity, person, 1)
    present = open_log_keys(keys / "log.pem", keys / "log.vkey", service.settings.origin)
    newer = NoteSigner(service.settings.origin, Ed25519PrivateKey.generate())
    wanted = "%" + newer.verifier_key.id.hex().encode().hex() + "%"
    with background("audit.keys"):
        await record_keys(service.worker, present)  # as at every start: nothing has changed
        await record_keys(service.worker, [newer, *present])
    changed = partial(superuser.fetch, FOUND, "chenu.audit.keys.changed", wanted)
    assert len(await soon(changed, "the change of keys is recorded")) == 1
    everything = await superuser.fetch(FOUND, "chenu.audit.keys.changed", "%")
    assert len(everything) == 1
