"""Erasing a person: identity first, then every service that keeps plain text of people.

An erasure is a row until all have answered. Whatever happens between, the sweeper goes on with it,
so each intent in the log gets its outcome.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import grpc
import structlog

from chenu.audit.v1.retention_service_pb2 import EraseSubjectResponse, ListErasuresRequest
from chenu.events.v1.audit_event_pb2 import PHASE_DONE, PHASE_INTENT, PHASE_OUTCOME
from chenu.events.v1.subject_service_pb2 import EraseSubjectRequest
from chenu.events.v1.subject_service_pb2_grpc import SubjectServiceStub
from kernel.caller import Caller
from kernel.channels import Channels, alone
from kernel.context import background
from kernel.database import Database, Record
from kernel.errors import Forbidden, ServiceError, relayed
from kernel.pagination import PageTokens, page_size
from kernel.statement import Statement
from services.audit import audit_events
from services.audit.entries import AUDITOR
from services.audit.errors import LegalHold
from services.audit.personal import SubjectKeys
from services.audit.retention import OWNER, require_role

# Whoever keeps what people wrote or are called. Of the others a test shows that they do not.
HOLDERS: Final = ("identity", "threads", "governance", "nova", "courier")
# Tokens that were made before live on for so long, and with them somebody may write more.
TOKENS_LIVE: Final = timedelta(minutes=31)
# Somebody waits for the first try; a service with very many rows of a person needs the second.
_TIMEOUT: Final = 10.0
_LONG_TIMEOUT: Final = 305.0
_REFUSED: Final = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.FAILED_PRECONDITION)
_HELD: Final = Statement(
    "SELECT hold_id FROM holds WHERE tenant = :tenant AND release_time IS NULL"
    " AND (person IS NULL OR person = :person) LIMIT 1"
)
_RECORDS: Final = Statement(
    "SELECT count(*) FROM entries WHERE personal = :person AND tenant = :tenant"
)
_BEGIN: Final = Statement(
    "INSERT INTO erasures (tenant, identity, person, rule, records, remaining, again_time)"
    " VALUES (:tenant, :identity, :person, :rule, :records, :remaining,"
    " clock_timestamp() + :tokens_live)"
    " ON CONFLICT (tenant, person) WHERE finish_time IS NULL DO NOTHING RETURNING *"
)
_GOING_ON: Final = Statement(
    "SELECT * FROM erasures WHERE person = :person AND finish_time IS NULL"
)
_KNOWN: Final = Statement(
    "UPDATE erasures SET identities = CAST(:identities AS uuid[])"
    " WHERE erasure_id = :erasure_id RETURNING *"
)
_ANSWERED: Final = Statement(
    "UPDATE erasures SET remaining = array_remove(remaining, :service)"
    " WHERE erasure_id = :erasure_id"
)
_FINISH: Final = Statement(
    "UPDATE erasures SET finish_time = clock_timestamp(), outcome = 'OK'"
    " WHERE erasure_id = :erasure_id AND remaining = '{}' AND finish_time IS NULL RETURNING *"
)
_REFUSE: Final = Statement(
    "UPDATE erasures SET remaining = '{}', again_time = NULL, finish_time = clock_timestamp(),"
    " outcome = :outcome WHERE erasure_id = :erasure_id AND finish_time IS NULL RETURNING *"
)
_REMAINING: Final = Statement("SELECT remaining FROM erasures WHERE erasure_id = :erasure_id")
_REPEAT: Final = Statement(
    "UPDATE erasures SET remaining = :remaining, again_time = NULL"
    " WHERE remaining = '{}' AND again_time <= clock_timestamp()"
)
_DUE: Final = Statement(
    "SELECT * FROM erasures WHERE remaining <> '{}'"
    " AND start_time <= clock_timestamp() - make_interval(secs => :patience) ORDER BY erasure_id"
)
_LIST: Final = Statement(
    "SELECT * FROM erasures WHERE (start_time, erasure_id) < (:before_time, :before_id)"
    " ORDER BY start_time DESC, erasure_id DESC LIMIT :size"
)
_log: Final = structlog.get_logger(component="erasures")


class Erasures:
    """Begins erasures and sees them through."""

    def __init__(
        self,
        database: Database,
        worker: Database,
        keys: SubjectKeys,
        channels: Channels,
        pages: PageTokens,
    ) -> None:
        self._database, self._worker, self._pages = database, worker, pages
        self._keys, self._channels = keys, channels

    async def erase(self, caller: Caller, person: str, rule: str) -> EraseSubjectResponse:
        """Erase a person as far as the services answer now; the sweeper sees to the rest."""
        require_role(caller, OWNER)
        erasure = await self._begin(caller, person, rule)
        erased, waiting = await self.go_on(erasure)
        return EraseSubjectResponse(
            erased=erased, records=erasure["records"], pending_services=waiting
        )

    async def go_on(self, erasure: Record, seconds: float = _TIMEOUT) -> tuple[bool, Sequence[str]]:
        """Whether there still was a key, and which services have not answered.

        Raises what refuses it for good, once that stands in the log as its outcome.
        """
        async with self._worker.work() as tx:
            held = await tx.fetch_one(_HELD, tenant=erasure["tenant"], person=erasure["person"])
        if held is not None:
            await self._refuse(erasure, grpc.StatusCode.FAILED_PRECONDITION)
            raise LegalHold
        erased = False
        if erasure["identities"] is None:
            try:
                erased, identities = await self._keys.destroy(erasure["tenant"], erasure["person"])
            except grpc.aio.AioRpcError as error:
                if error.code() not in _REFUSED:
                    return False, erasure["remaining"]
                await self._refuse(erasure, error.code())
                if error.code() is grpc.StatusCode.PERMISSION_DENIED:
                    raise Forbidden(subject=f"user/{erasure['person']}") from None
                raise relayed(error) from None
            erasure = await self._known(erasure, identities)
        await asyncio.gather(*(self._ask(name, erasure, seconds) for name in erasure["remaining"]))
        return erased, await self._finish(erasure)

    async def list(
        self, caller: Caller, request: ListErasuresRequest
    ) -> tuple[Sequence[Record], str]:
        """A page of the tenant's erasures, the latest first, and the next page's token."""
        require_role(caller, OWNER, AUDITOR)
        size = page_size(request.page_size)
        async with self._database.transaction(caller) as tx:
            rows = await tx.fetch(_LIST, size=size + 1, **self._pages.before(request))
            page, token = self._pages.by_time(rows, size, request, "start_time", "erasure_id")
            tx.emit(audit_events.retention_read("erasures", caller.tenant, len(page)))
        return page, token

    async def sweep_forever(self, seconds: float) -> None:
        """A background task: what has stood still for so long goes on."""
        while True:
            await self.sweep(seconds)
            await asyncio.sleep(seconds)

    async def sweep(self, patience: float = 0) -> None:
        """Go on with what is unfinished, and once more with what tokens may have outlived."""
        async with self._worker.work() as tx:
            await tx.execute(_REPEAT, remaining=list(HOLDERS))
            due = await tx.fetch(_DUE, patience=patience)
        for erasure in due:
            owner = Caller.system(
                service="audit", tenant=erasure["tenant"], identity=erasure["identity"]
            )
            with background("audit.erasures", owner):
                try:
                    _, waiting = await self.go_on(erasure, _LONG_TIMEOUT)
                except ServiceError as error:
                    _log.warning("refused", erasure=erasure["erasure_id"], reason=error.reason)
                else:
                    _log.info("went on", erasure=erasure["erasure_id"], waiting=list(waiting))

    async def _begin(self, caller: Caller, person: str, rule: str) -> Record:
        """The erasure with its intent in the log; LegalHold where a hold forbids it."""
        whom = {"tenant": caller.tenant, "person": person}
        async with self._worker.work() as work:
            row = await work.fetch_one(_RECORDS, **whom)
        records = int(row[0]) if row else 0
        while True:
            async with self._database.transaction(caller) as tx:
                if await tx.fetch_one(_HELD, **whom) is not None:
                    raise LegalHold
                begun = await tx.fetch_one(
                    _BEGIN,
                    identity=caller.identity,
                    rule=rule,
                    records=records,
                    remaining=list(HOLDERS),
                    tokens_live=TOKENS_LIVE,
                    **whom,
                )
                # Another call may have begun it, and its intent gets the outcome.
                phase = PHASE_DONE if begun is None else PHASE_INTENT
                begun = begun or await tx.fetch_one(_GOING_ON, person=person)
                if begun is not None:  # else that one ended between the two
                    tx.emit(audit_events.subject_erased(phase, person, rule, records))
                    return begun

    async def _known(self, erasure: Record, identities: Sequence[str]) -> Record:
        async with self._worker.work() as tx:
            known = await tx.fetch_one(
                _KNOWN, erasure_id=erasure["erasure_id"], identities=list(identities)
            )
        return known or erasure

    async def _ask(self, service: str, erasure: Record, seconds: float) -> None:
        """Have one service forget the person; without an answer it is asked again later."""
        stub: Any = SubjectServiceStub(self._channels.channel(service))
        request = EraseSubjectRequest(
            tenant_id=erasure["tenant"],
            person_id=erasure["person"],
            identity_ids=erasure["identities"],
        )
        try:
            with alone():
                await stub.EraseSubject(request, timeout=seconds)
        except grpc.aio.AioRpcError as error:
            _log.warning("not erased yet", service=service, code=error.code().name)
            return
        async with self._worker.work() as tx:
            await tx.execute(_ANSWERED, erasure_id=erasure["erasure_id"], service=service)

    async def _finish(self, erasure: Record) -> Sequence[str]:
        """Say so in the log once nobody is waited for; else who is."""
        async with self._worker.work() as tx:
            done = await tx.fetch_one(_FINISH, erasure_id=erasure["erasure_id"])
            if done is not None:
                tx.keep(_outcome(done))
                return ()
            row = await tx.fetch_one(_REMAINING, erasure_id=erasure["erasure_id"])
        return row["remaining"] if row else ()

    async def _refuse(self, erasure: Record, code: grpc.StatusCode) -> None:
        async with self._worker.work() as tx:
            refused = await tx.fetch_one(
                _REFUSE, erasure_id=erasure["erasure_id"], outcome=code.name
            )
            if refused is not None:
                tx.keep(_outcome(refused))


def _outcome(erasure: Record) -> Any:
    return audit_events.subject_erased(
        PHASE_OUTCOME,
        erasure["person"],
        erasure["rule"],
        erasure["records"],
        outcome=erasure["outcome"],
        tenant=erasure["tenant"],
        identity=erasure["identity"],
    )
