"""The log before a witness: each head is cosigned, a refusal is an alert, all of it can be seen."""

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import uvicorn

from chenu.audit.v1 import log_service_pb2 as log_pb
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.export_service_pb2_grpc import ExportServiceStub
from chenu.audit.v1.log_service_pb2_grpc import LogServiceStub
from chenu_witness.server import application, open_cosigner
from chenu_witness.state import State
from chenu_witness.witness import Answer, Witness
from cli.verification.export import verify_export
from cli.verification.keys import Keys
from kernel.context import background
from kernel.receipts import TreeHead, VerifierKey, cosigners, split_note
from kernel.service import Service
from kernel.settings import SharedSettings
from kernel.tokens import SigningKey
from services.audit import log as audit_log
from services.audit.folder import Folder
from services.audit.note import NoteSigner, sign_tree_head
from services.audit.settings import AuditSettings
from services.audit.witnesses import Witnesses, close_left_behind, thin_cosignatures
from tests.integration.audit.exports import exported
from tests.integration.audit.listing import Publish, listed
from tests.support.identity import Person, StandInIdentity
from tests.support.source import StandInSource, an_event


class RunningWitness:
    def __init__(self, folder: Path, key: VerifierKey) -> None:
        self.cosigner = open_cosigner(folder, "witness.test/w1")
        self.state = State(folder / "witness.sqlite3")
        self.logs = [key]
        self.url = ""

    @property
    def key(self) -> VerifierKey:
        return self.cosigner.verifier_key

    def application(self) -> Any:
        return application(
            self.cosigner, self.state, Witness(self.cosigner, self.state, lambda: self.logs)
        )


@pytest.fixture
async def witness(log: LogServiceStub, tmp_path: Path) -> AsyncIterator[RunningWitness]:
    offered = await log.GetLogKey(log_pb.GetLogKeyRequest())
    running = RunningWitness(tmp_path, VerifierKey.parse(offered.verifier_key))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        running.url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        config = uvicorn.Config(running.application(), log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve([listening]))
        yield running
        server.should_exit = True
        await serving
    running.state.close()


@pytest.fixture
async def grown(
    entries: EntryServiceStub,
    identity: StandInIdentity,
    person: Person,
    source: StandInSource,
    publish: Publish,
) -> Person:
    """Somebody with a record in the log."""
    await publish(source.bundle([an_event(person)]))
    await listed(entries, identity, person, 1)
    return person


async def asked(witnesses: Witnesses) -> None:
    """Ask them as the service does."""
    with background("audit.witnesses"):
        await witnesses.ask()


async def open_alerts(superuser: asyncpg.Connection, url: str) -> set[str]:
    sql = "SELECT kind FROM audit.alerts WHERE source = $1 AND close_time IS NULL"
    return {row["kind"] for row in await superuser.fetch(sql, url)}


async def test_each_head_is_cosigned_and_told_beside_the_newest(
    log: LogServiceStub,
    identity: StandInIdentity,
    grown: Person,
    service: Service[AuditSettings],
    witness: RunningWitness,
    superuser: asyncpg.Connection,
) -> None:
    asking = Witnesses(service.worker, [witness.url], [witness.key])
    await asked(asking)
    await asked(asking)
    me = identity.as_human(grown)
    answer = await log.GetTreeHead(log_pb.GetTreeHeadRequest(), metadata=me)
    assert witness.key in cosigners(answer.witnessed_tree_head, [witness.key])
    assert 0 < witness.state.head("audit.chenu.local/log")[0] <= answer.size
    # Another process of audit, which does not know how far this witness has come.
    await asked(Witnesses(service.worker, [witness.url], [witness.key]))
    assert await open_alerts(superuser, witness.url) == set()


async def test_an_export_shows_who_cosigned_the_log(
    identity: StandInIdentity,
    grown: Person,
    service: Service[AuditSettings],
    witness: RunningWitness,
    exports: ExportServiceStub,
    tmp_path: Path,
) -> None:
    await asked(Witnesses(service.worker, [witness.url], [witness.key]))
    data, _ = await exported(exports, identity.as_human(grown), "jsonl")
    (tmp_path / "export").write_bytes(data)
    for keys in ([witness.key], []):
        verdict = verify_export(tmp_path / "export", Keys(witness.logs, keys), lambda *_: None)
        assert (verdict.problems, verdict.exit_code) == ([], 0)
        assert [one.split(",")[0] for one in verdict.witnesses] == ["witness.test/w1"][: len(keys)]


async def test_a_witness_that_has_seen_more_or_otherwise_refuses_and_an_alert_says_so(
    grown: Person,
    service: Service[AuditSettings],
    witness: RunningWitness,
    superuser: asyncpg.Connection,
    shared: SharedSettings,
) -> None:
    async with service.worker.work() as tx:
        size, _, _ = await audit_log.latest_head(tx)
    key = service.shared.keys_dir / "log.pem"
    signer = NoteSigner("audit.chenu.local/log", SigningKey.load(key).private)
    for more in (1_000_000, 0):
        other = sign_tree_head(TreeHead(signer.name, size + more, bytes(32)), [signer])
        witness.state.remember(signer.name, 0, "", 0)
        witness.state._database.execute("DELETE FROM heads")
        witness.state.remember(signer.name, size + more, other, 1)
        await asked(Witnesses(service.worker, [witness.url], [witness.key]))
        assert await open_alerts(superuser, witness.url) == {"WITNESS_REFUSED"}
    # What it holds is not what the log was at that size: both heads are kept as evidence, once
    # more where the log has grown by the alert itself meanwhile.
    held = [TreeHead.parse(split_note(one["held"])[0]) for one in witness.state.evidence()]
    assert {(one.size, one.root) for one in held} == {(size, bytes(32))}
    # As after a log was put back from an older copy, once its witness is content with that.
    assert witness.state.begin_anew(signer.name, 1) == size
    await asked(Witnesses(service.worker, [witness.url], [witness.key]))
    assert await open_alerts(superuser, witness.url) == set()


@pytest.mark.parametrize("told", ["9" * 18, "9" * 5000, "\N{ARABIC-INDIC DIGIT NINE}"])
async def test_a_witness_that_tells_nonsense_is_asked_again_and_heard_when_it_does_not(
    *,
    grown: Person,
    service: Service[AuditSettings],
    witness: RunningWitness,
    superuser: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    told: str,
) -> None:
    asking = Witnesses(service.worker, [witness.url], [witness.key])
    with monkeypatch.context() as lying:
        lie = Answer(409, f"{told}\n", "text/x.tlog.size")
        lying.setattr(Witness, "add_checkpoint", lambda *_: lie)
        await asked(asking)
        await asked(asking)
    assert await open_alerts(superuser, witness.url) == {"WITNESS_REFUSED"}
    await asked(asking)
    assert await open_alerts(superuser, witness.url) == set()


async def test_a_witness_that_is_asked_no_more_leaves_no_alert_and_holds_back_no_files(
    *,
    grown: Person,
    entries: EntryServiceStub,
    identity: StandInIdentity,
    source: StandInSource,
    publish: Publish,
    service: Service[AuditSettings],
    witness: RunningWitness,
    superuser: asyncpg.Connection,
    tmp_path: Path,
) -> None:
    await asked(Witnesses(service.worker, [witness.url], [witness.key]))
    away = "http://me:password@127.0.0.1:9/"
    await asked(Witnesses(service.worker, [away], [witness.key]))
    shown = "http://127.0.0.1:9/"  # to anyone who is logged in
    assert await open_alerts(superuser, shown) == {"WITNESS_SILENT"}
    with background("test"):
        await close_left_behind(service.worker, [away])
        assert await open_alerts(superuser, shown) == {"WITNESS_SILENT"}
        await close_left_behind(service.worker, [])
    assert await open_alerts(superuser, shown) == set()
    person = Person()
    data = source.bundle([an_event(person)])
    await publish(data)
    await listed(entries, identity, person, 1)
    sizes = [
        await Folder(service.worker, tmp_path / str(asks), "key", tuple, witnessed=asks).publish()
        for asks in (True, False)
    ]
    assert 0 < sizes[0] < sizes[1]


async def test_a_witness_that_is_away_is_an_alert_until_it_is_back(
    grown: Person,
    service: Service[AuditSettings],
    witness: RunningWitness,
    superuser: asyncpg.Connection,
) -> None:
    away = Witnesses(service.worker, ["http://127.0.0.1:9/"], [witness.key])
    await asked(away)
    assert await open_alerts(superuser, "http://127.0.0.1:9/") == {"WITNESS_SILENT"}
    await asked(Witnesses(service.worker, [witness.url], [witness.key]))
    assert await open_alerts(superuser, witness.url) == set()


async def test_a_cosignature_of_another_key_is_not_kept(
    grown: Person,
    service: Service[AuditSettings],
    witness: RunningWitness,
    superuser: asyncpg.Connection,
    log: LogServiceStub,
    identity: StandInIdentity,
) -> None:
    stranger = open_cosigner(service.shared.keys_dir / "stranger", "witness.test/w1")
    await asked(Witnesses(service.worker, [witness.url], [stranger.verifier_key]))
    assert await open_alerts(superuser, witness.url) == {"WITNESS_REFUSED"}
    kept = await superuser.fetchval(
        "SELECT count(*) FROM audit.cosignatures WHERE witness = $1", str(stranger.verifier_key)
    )
    assert kept == 0


async def test_of_old_cosignatures_the_last_of_each_hour_stays_and_new_ones_all(
    grown: Person, service: Service[AuditSettings], superuser: asyncpg.Connection
) -> None:
    witness, hour = f"witness.test+{uuid4()}", timedelta(hours=1)
    old = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 30 * hour
    signed = [
        old,
        old + hour / 2,
        old + hour,
        old + 1.5 * hour,
        datetime.now(UTC),
        datetime.now(UTC),
    ]
    for size, when in enumerate(signed, 10**9):
        insert = "INSERT INTO audit.cosignatures VALUES ($1, $2, '', $3)"
        await superuser.execute(insert, size, witness, when)
    with background("test"):
        async with service.worker.work() as tx:
            assert await thin_cosignatures(tx) == 2
            assert await thin_cosignatures(tx) == 0
    sql = "SELECT size - 10^9::bigint FROM audit.cosignatures WHERE witness = $1 ORDER BY size"
    assert [row[0] for row in await superuser.fetch(sql, witness)] == [1, 3, 4, 5]
    await superuser.execute("ALTER TABLE audit.cosignatures DISABLE TRIGGER append_only")
    await superuser.execute("DELETE FROM audit.cosignatures WHERE witness = $1", witness)
    await superuser.execute("ALTER TABLE audit.cosignatures ENABLE ALWAYS TRIGGER append_only")
