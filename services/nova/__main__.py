"""`python -m services.nova`: the wiring, by hand, in order."""

import asyncio
import time
from typing import Final

from chenu.events.v1.subject_service_pb2_grpc import add_SubjectServiceServicer_to_server
from chenu.nova.v1.run_service_pb2_grpc import add_RunServiceServicer_to_server
from kernel.context import new_id
from kernel.service import Program, Service, main
from kernel.subject_servicer import SubjectServicer
from kernel.watching import Changes
from services.nova.catalogue import Catalogue
from services.nova.delegations import Delegations
from services.nova.engine import Engine
from services.nova.intent import classify
from services.nova.journal import Journal
from services.nova.lanes.authorization import Authorizer
from services.nova.lanes.context import Contexts
from services.nova.lanes.execution import Executions
from services.nova.lanes.planning import Planner
from services.nova.leases import Leases
from services.nova.patience import Patience
from services.nova.pipeline import Pipeline
from services.nova.resolutions import SUBJECT, Resolutions
from services.nova.runs import Runs
from services.nova.servicer import RunServicer
from services.nova.settings import NovaSettings
from services.nova.thread_history import ThreadHistory

CATALOGUE_SECONDS: Final = 60.0


async def assemble(service: Service[NovaSettings]) -> None:
    """Put the service together."""
    classify("Warm up. Échauffe-toi.")  # builds the word lists, before somebody waits for it
    settings, channels = service.settings, service.channels
    worker_id, changes = new_id(), Changes()
    patience = Patience(settings.patience_seconds)
    catalogue, contexts = Catalogue(channels), Contexts(channels)
    authorizer = Authorizer(channels)
    journal = Journal(service.database, changes, worker_id)
    leases = Leases(service.worker, worker_id, settings.lease_seconds)
    pipeline = Pipeline(
        journal=journal,
        delegations=Delegations(channels, patience),
        contexts=contexts,
        planner=Planner(channels, catalogue, contexts, settings),
        authorizer=authorizer,
        executions=Executions(catalogue, authorizer, contexts, patience),
        history=ThreadHistory(channels, patience),
        patience=patience,
        max_rounds=settings.max_rounds,
    )
    engine = Engine(pipeline, journal, leases, changes)
    resolutions = Resolutions(channels, engine, leases)
    runs = Runs(
        database=service.database,
        journal=journal,
        engine=engine,
        authorizer=authorizer,
        changes=changes,
        pages=service.page_tokens,
        settings=settings,
        stopping=service.stopping,
    )
    service.add_servicer(add_RunServiceServicer_to_server, RunServicer(runs))
    service.add_servicer(
        add_SubjectServiceServicer_to_server, SubjectServicer(service.name, service.worker)
    )

    async def hold_lease() -> None:
        while True:
            await leases.renew()
            await asyncio.sleep(settings.lease_seconds / 3)

    async def sweep() -> None:
        refreshed = 0.0
        while True:
            # An executor that was not there, or whose tools have changed, is heard again.
            if not catalogue.complete or time.monotonic() - refreshed > CATALOGUE_SECONDS:
                await catalogue.refresh()
                refreshed = time.monotonic()
            await engine.adopt()
            await resolutions.sweep()
            await asyncio.sleep(settings.sweep_seconds)

    await leases.renew()
    service.on_stop(leases.end)
    service.background("nova.lease", hold_lease)
    service.background("nova.sweep", sweep)
    await service.messaging.on_wake(SUBJECT, resolutions.wake, queue="nova")


PROGRAM = Program("nova", NovaSettings, assemble)

if __name__ == "__main__":
    main(PROGRAM)
