"""The threads service, put together: `python -m services.threads`."""

from chenu.events.v1.subject_service_pb2_grpc import add_SubjectServiceServicer_to_server
from chenu.governance.v1.authorization_service_pb2 import GetPermitKeySetRequest
from chenu.governance.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from chenu.governance.v1.executor_service_pb2_grpc import add_ExecutorServiceServicer_to_server
from chenu.governance.v1.freeze_service_pb2 import GetFreezeStateRequest, GetFreezeStateResponse
from chenu.governance.v1.freeze_service_pb2_grpc import FreezeServiceStub
from chenu.governance.v1.outcome_service_pb2_grpc import OutcomeServiceStub
from chenu.threads.v1.message_service_pb2_grpc import add_MessageServiceServicer_to_server
from chenu.threads.v1.thread_event_service_pb2_grpc import add_ThreadEventServiceServicer_to_server
from chenu.threads.v1.thread_service_pb2_grpc import add_ThreadServiceServicer_to_server
from chenu_gate.executor import Executions
from chenu_gate.freezes import FreezeWatch
from chenu_gate.gatekeeper import Gatekeeper
from chenu_gate.outcome_reporter import OutcomeReporter
from kernel.channels import alone
from kernel.service import Program, Service, main
from kernel.subject_servicer import SubjectServicer
from kernel.watching import Changes
from services.threads.execution import Executor
from services.threads.servicers.executor import ExecutorServicer
from services.threads.servicers.message import MessageServicer
from services.threads.servicers.thread import ThreadServicer
from services.threads.servicers.thread_event import ThreadEventServicer
from services.threads.settings import ThreadsSettings
from services.threads.tools import EXECUTOR, TOOLBOX
from services.threads.watching import Watcher


async def assemble(service: Service[ThreadsSettings]) -> None:
    """Wire the servicers, and tell governance what became of its decisions."""
    database, pages, changes = service.database, service.page_tokens, Changes()
    governance = service.channels.channel("governance")
    authorization = AuthorizationServiceStub(governance)

    async def permit_key_set() -> str:
        with alone():
            answer = await authorization.GetPermitKeySet(GetPermitKeySetRequest(), timeout=5)
        return str(answer.jwks)

    freeze_service = FreezeServiceStub(governance)

    async def freeze_state() -> GetFreezeStateResponse:
        with alone():
            return await freeze_service.GetFreezeState(GetFreezeStateRequest(), timeout=5)

    gatekeeper = Gatekeeper(EXECUTOR, TOOLBOX, permit_key_set)
    freezes = FreezeWatch(gatekeeper, freeze_state)
    executions = Executions(EXECUTOR)
    reporter = OutcomeReporter(executions, service.worker.work, OutcomeServiceStub(governance))

    def done(thread_id: str) -> None:
        changes.notify(thread_id)
        reporter.wake()

    executor = Executor(database, gatekeeper, executions, done)
    watcher = Watcher(database, changes, service.settings, service.stopping)
    service.add_servicer(
        add_ThreadServiceServicer_to_server, ThreadServicer(database, pages, changes, watcher)
    )
    service.add_servicer(
        add_MessageServiceServicer_to_server, MessageServicer(database, pages, changes)
    )
    service.add_servicer(
        add_ThreadEventServiceServicer_to_server, ThreadEventServicer(database, pages, changes)
    )
    service.add_servicer(add_ExecutorServiceServicer_to_server, ExecutorServicer(executor))
    service.add_servicer(
        add_SubjectServiceServicer_to_server, SubjectServicer(service.name, service.worker)
    )
    service.background("threads.outcomes", reporter.run)
    service.background("threads.freezes", freezes.run)
    await service.messaging.on_wake("governance.freezes", freezes.refresh)


PROGRAM = Program("threads", ThreadsSettings, assemble)

if __name__ == "__main__":
    main(PROGRAM)
