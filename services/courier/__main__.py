"""The courier service, put together: `python -m services.courier`."""

from datetime import timedelta

from chenu.courier.v1.channel_service_pb2_grpc import add_ChannelServiceServicer_to_server
from chenu.courier.v1.delivery_service_pb2_grpc import add_DeliveryServiceServicer_to_server
from chenu.courier.v1.endpoint_service_pb2_grpc import add_EndpointServiceServicer_to_server
from chenu.courier.v1.interaction_service_pb2_grpc import (
    add_InteractionServiceServicer_to_server,
)
from chenu.events.v1.subject_service_pb2_grpc import add_SubjectServiceServicer_to_server
from chenu.governance.v1.authorization_service_pb2 import GetPermitKeySetRequest
from chenu.governance.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from chenu.governance.v1.executor_service_pb2_grpc import add_ExecutorServiceServicer_to_server
from chenu.governance.v1.freeze_service_pb2 import GetFreezeStateRequest, GetFreezeStateResponse
from chenu.governance.v1.freeze_service_pb2_grpc import FreezeServiceStub
from chenu.governance.v1.notice_service_pb2_grpc import NoticeServiceStub
from chenu.governance.v1.outcome_service_pb2_grpc import OutcomeServiceStub
from chenu.identity.v1.channel_grant_service_pb2_grpc import ChannelGrantServiceStub
from chenu_gate.executor import Executions
from chenu_gate.freezes import FreezeWatch
from chenu_gate.gatekeeper import Gatekeeper
from chenu_gate.outcome_reporter import OutcomeReporter
from kernel.channels import alone
from kernel.service import Program, Service, main
from kernel.subject_servicer import SubjectServicer
from services.courier import deliveries
from services.courier.ballots import Ballots
from services.courier.dialing import Dialer
from services.courier.execution import Executor
from services.courier.intake import NOTICES_SUBJECT, Intake
from services.courier.interactions import Interactions
from services.courier.mailing import Mailer
from services.courier.notifier import Notifier
from services.courier.outlets import Outlets
from services.courier.sending import Sender
from services.courier.servicers.channel import ChannelServicer
from services.courier.servicers.delivery import DeliveryServicer
from services.courier.servicers.endpoint import EndpointServicer
from services.courier.servicers.executor import ExecutorServicer
from services.courier.servicers.interaction import InteractionServicer
from services.courier.settings import CourierSettings
from services.courier.sweeping import Sweeper
from services.courier.tools import EXECUTOR, TOOLBOX
from services.courier.vault import Vault


async def assemble(service: Service[CourierSettings]) -> None:
    """Wire the servicers, the sweeper, and what tells governance of endings."""
    database, pages, settings = service.database, service.page_tokens, service.settings
    governance = service.channels.channel("governance")
    authorization = AuthorizationServiceStub(governance)

    async def permit_key_set() -> str:
        with alone():
            answer = await authorization.GetPermitKeySet(GetPermitKeySetRequest(), timeout=5)
        return str(answer.jwks)

    vault = Vault.open_file(
        settings.secrets_key_file or service.shared.keys_dir / "courier.secrets"
    )
    dialer = Dialer(settings.policy, settings.timeout_seconds)
    freeze_service = FreezeServiceStub(governance)

    async def freeze_state() -> GetFreezeStateResponse:
        with alone():
            return await freeze_service.GetFreezeState(GetFreezeStateRequest(), timeout=5)

    gatekeeper = Gatekeeper(EXECUTOR, TOOLBOX, permit_key_set)
    freezes = FreezeWatch(gatekeeper, freeze_state)
    executions = Executions(EXECUTOR)
    reporter = OutcomeReporter(
        executions, service.worker.work, OutcomeServiceStub(governance), deliveries.settled
    )
    executor = Executor(
        database,
        gatekeeper,
        executions,
        Sender(dialer, attempts=settings.attempts, retry_seconds=settings.retry_seconds),
        vault,
        running=timedelta(seconds=settings.running_seconds),
        done=reporter.wake,
    )
    service.on_stop(executor.finish_sending)
    service.add_servicer(
        add_EndpointServiceServicer_to_server, EndpointServicer(database, pages, dialer, vault)
    )
    service.add_servicer(
        add_DeliveryServiceServicer_to_server, DeliveryServicer(database, pages, executions)
    )
    service.add_servicer(add_ExecutorServiceServicer_to_server, ExecutorServicer(executor))
    service.add_servicer(
        add_SubjectServiceServicer_to_server, SubjectServicer(service.name, service.worker)
    )
    sweeper = Sweeper(service.worker, executions, settings.sweep_seconds, reporter.wake)
    await _add_channels(service, vault)
    service.background("courier.sweeper", sweeper.run)
    service.background("courier.outcomes", reporter.run)
    service.background("courier.freezes", freezes.run)
    await service.messaging.on_wake("governance.freezes", freezes.refresh)


async def _add_channels(service: Service[CourierSettings], vault: Vault) -> None:
    """What tells people of checkpoints; nothing of it stands in any decision's way."""
    settings, database = service.settings, service.database
    dialer = Dialer(settings.policy, settings.notify_timeout_seconds)
    mailer = Mailer(settings.mail, settings.notify_timeout_seconds)
    ballots = Ballots(ChannelGrantServiceStub(service.channels.channel("identity")))
    notifier = Notifier(
        database,
        service.worker,
        Outlets(vault, dialer, mailer, ballots, settings.decide_uri),
        every=settings.notify_seconds,
        lease=timedelta(seconds=2 * settings.notify_timeout_seconds + 10),
        offset=timedelta(seconds=settings.clock_offset_seconds),
    )
    notices = NoticeServiceStub(service.channels.channel("governance"))
    intake = Intake(database, service.worker, notices, settings.notify_seconds, notifier.wake)
    service.add_servicer(
        add_ChannelServiceServicer_to_server,
        ChannelServicer(
            database,
            service.page_tokens,
            dialer,
            mailer,
            vault,
            queued=notifier.wake,
            keys=service.keys,
        ),
    )
    interactions = Interactions(database, service.worker, vault, ballots, dialer)
    service.add_servicer(
        add_InteractionServiceServicer_to_server, InteractionServicer(interactions)
    )
    service.background("courier.intake", intake.run)
    service.background("courier.notifier", notifier.run)
    await service.messaging.on_wake(NOTICES_SUBJECT, intake.wake)


PROGRAM = Program("courier", CourierSettings, assemble)

if __name__ == "__main__":
    main(PROGRAM)
