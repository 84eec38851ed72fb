"""`python -m services.governance`: the parts, put together by hand, in order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.export_service_pb2_grpc import ExportServiceStub
from chenu.events.v1.subject_service_pb2_grpc import add_SubjectServiceServicer_to_server
from chenu.governance.v1.authorization_service_pb2_grpc import (
    add_AuthorizationServiceServicer_to_server,
)
from chenu.governance.v1.checkpoint_service_pb2_grpc import (
    add_CheckpointServiceServicer_to_server,
)
from chenu.governance.v1.deputy_service_pb2_grpc import add_DeputyServiceServicer_to_server
from chenu.governance.v1.evidence_service_pb2_grpc import add_EvidenceServiceServicer_to_server
from chenu.governance.v1.freeze_service_pb2_grpc import add_FreezeServiceServicer_to_server
from chenu.governance.v1.grant_service_pb2_grpc import add_GrantServiceServicer_to_server
from chenu.governance.v1.notice_service_pb2_grpc import add_NoticeServiceServicer_to_server
from chenu.governance.v1.outcome_service_pb2_grpc import add_OutcomeServiceServicer_to_server
from chenu.governance.v1.resolution_service_pb2_grpc import (
    add_ResolutionServiceServicer_to_server,
)
from chenu.governance.v1.review_service_pb2_grpc import add_ReviewServiceServicer_to_server
from chenu.governance.v1.reviewer_service_pb2_grpc import add_ReviewerServiceServicer_to_server
from chenu.governance.v1.rule_service_pb2_grpc import add_RuleServiceServicer_to_server
from chenu.governance.v1.tombstone_service_pb2_grpc import (
    add_TombstoneServiceServicer_to_server,
)
from chenu.identity.v1.eligibility_service_pb2_grpc import EligibilityServiceStub
from kernel.service import Program, Service, main
from kernel.subject_servicer import SubjectServicer
from kernel.watching import Changes
from services.governance.authorization import Authorization
from services.governance.clock import Clock
from services.governance.decisions import Decisions
from services.governance.evidence.built_in_rules import keep
from services.governance.evidence.export import Evidence
from services.governance.holds.freezes import Freezes
from services.governance.holds.grants import Grants
from services.governance.holds.tombstones import Tombstones
from services.governance.judging import Judging
from services.governance.operations import Operations
from services.governance.outcomes import Outcomes
from services.governance.permits import PermitKeys
from services.governance.policy.built_in_rules import BUILT_IN
from services.governance.policy.counting import Counting
from services.governance.policy.dry_runs import DryRuns
from services.governance.policy.promotion import Promotion
from services.governance.policy.replays import Replays
from services.governance.policy.rule_book import WAKE_SUBJECT, RuleBook
from services.governance.policy.rule_revisions import RuleRevisions
from services.governance.policy.rule_trials import Trials
from services.governance.policy.rules import Rule
from services.governance.policy.shadows import Shadows
from services.governance.retention import Retention
from services.governance.review.asking import Asking
from services.governance.review.checkpoints import Checkpoints
from services.governance.review.deputies import Deputies
from services.governance.review.edits import Edits
from services.governance.review.eligibility import Eligibility
from services.governance.review.endings import Endings, Sweeper
from services.governance.review.notices import Notices
from services.governance.review.reminders import Reminders
from services.governance.review.requirements import Requirements
from services.governance.review.resolutions import Resolutions
from services.governance.review.reviewers import Reviewers
from services.governance.review.reviews import Reviews
from services.governance.review.transitions import Transitions
from services.governance.review.votes import Votes
from services.governance.review.watch import Watch
from services.governance.servicers.authorization import AuthorizationServicer
from services.governance.servicers.checkpoint import CheckpointServicer
from services.governance.servicers.deputy import DeputyServicer
from services.governance.servicers.evidence import EvidenceServicer
from services.governance.servicers.freeze import FreezeServicer
from services.governance.servicers.grant import GrantServicer
from services.governance.servicers.notice import NoticeServicer
from services.governance.servicers.outcome import OutcomeServicer
from services.governance.servicers.resolution import ResolutionServicer
from services.governance.servicers.review import ReviewServicer
from services.governance.servicers.reviewer import ReviewerServicer
from services.governance.servicers.rule import RuleServicer
from services.governance.servicers.tombstone import TombstoneServicer
from services.governance.settings import GovernanceSettings
from services.governance.tool_definitions import ToolDefinitions
from services.governance.verdicts import Verdicts


async def assemble(
    service: Service[GovernanceSettings],
    clock: Clock | None = None,
    rules_in_force: Sequence[Rule] = BUILT_IN,
) -> None:
    """Everything of governance on what the kernel gives; a test may hold the clock."""
    settings, database = service.settings, service.database
    clock = clock or Clock(timedelta(seconds=settings.clock_offset_seconds))
    changes, book = Changes(), RuleBook(database, rules_in_force)
    permits = PermitKeys.open(
        settings.permit_keys_dir or service.shared.keys_dir / "permits", settings.permit_life
    )
    eligibility = Eligibility(EligibilityServiceStub(service.channels.channel("identity")))
    transitions = Transitions(database, service.messaging, changes, clock)
    tools = ToolDefinitions(service.channels, settings.other_executors)
    tombstones = Tombstones(
        database,
        tools,
        service.page_tokens,
        clock,
        settings.tombstone_life,
    )
    requirements = Requirements(settings.pending, settings.validity, settings.remote)
    decisions, counting = Decisions(requirements, clock), Counting(database, clock)
    judging = Judging(decisions, book, counting, eligibility)
    asking = Asking(database, clock, settings.agent_asks_per_hour)
    verdicts = Verdicts(book, permits, settings.review_uri)
    authorization = Authorization(
        database=database,
        decisions=decisions,
        judging=judging,
        verdicts=verdicts,
        eligibility=eligibility,
        transitions=transitions,
        changes=changes,
        clock=clock,
        tombstones=tombstones,
        endings=(endings := Endings(database, transitions)),
        asking=asking,
    )
    freezes = Freezes(
        database=database,
        worker=service.worker,
        messaging=service.messaging,
        pages=service.page_tokens,
        eligibility=eligibility,
        clock=clock,
        permit_life=settings.permit_life,
        lift_delay=settings.lift_delay,
        operator_tenant=settings.operator_tenant,
    )
    revisions = RuleRevisions(database, service.messaging, service.page_tokens, book)
    replays = Replays(database, service.worker)
    promotion = Promotion(
        database=database,
        messaging=service.messaging,
        revisions=revisions,
        replays=replays,
        eligibility=eligibility,
        built_in=book.built_in,
        clock=clock,
        delay=settings.promotion_delay,
    )
    grants = Grants(database, service.page_tokens, clock)
    deputies = Deputies(database, eligibility, clock)
    operations = Operations(
        database=database,
        worker=service.worker,
        authorization=authorization,
        changes=changes,
        clock=clock,
        operations=[one.operation() for one in (freezes, promotion, grants, deputies)],
    )
    checkpoints = Checkpoints(database, service.page_tokens, clock)
    watch = Watch(
        checkpoints,
        service.page_tokens,
        changes,
        service.stopping,
        seconds=settings.watch_seconds,
        heartbeat=settings.heartbeat_seconds,
    )
    votes = Votes(
        database=database,
        checkpoints=checkpoints,
        eligibility=eligibility,
        transitions=transitions,
        verdicts=verdicts,
        clock=clock,
        keys=service.keys,
    )
    service.add_servicer(
        add_AuthorizationServiceServicer_to_server, AuthorizationServicer(authorization, permits)
    )
    service.add_servicer(
        add_CheckpointServiceServicer_to_server,
        CheckpointServicer(checkpoints, watch, votes, endings),
    )
    reviews = Reviews(database, votes, eligibility, transitions, clock)
    edits = Edits(
        database=database,
        book=book,
        judging=judging,
        counting=counting,
        asking=asking,
        takes=requirements,
        tools=tools,
        votes=votes,
        eligibility=eligibility,
        transitions=transitions,
        clock=clock,
    )
    service.add_servicer(
        add_ReviewServiceServicer_to_server, ReviewServicer(reviews, edits, checkpoints)
    )
    service.add_servicer(
        add_ResolutionServiceServicer_to_server, ResolutionServicer(Resolutions(service.worker))
    )
    service.add_servicer(
        add_NoticeServiceServicer_to_server,
        NoticeServicer(
            Notices(database, service.worker, checkpoints, eligibility, settings.review_uri)
        ),
    )
    service.add_servicer(
        add_OutcomeServiceServicer_to_server,
        OutcomeServicer(Outcomes(database, service.worker, changes, permits)),
    )
    service.add_servicer(
        add_ReviewerServiceServicer_to_server, ReviewerServicer(Reviewers(database, clock))
    )
    for add, servicer in (
        (add_GrantServiceServicer_to_server, GrantServicer(grants, operations)),
        (add_DeputyServiceServicer_to_server, DeputyServicer(deputies, operations)),
        (add_TombstoneServiceServicer_to_server, TombstoneServicer(tombstones)),
        (add_EvidenceServiceServicer_to_server, EvidenceServicer(_evidence(service, clock, book))),
        (add_SubjectServiceServicer_to_server, SubjectServicer(service.name, service.worker)),
    ):
        service.add_servicer(add, servicer)
    trials = Trials(requirements)
    service.add_servicer(
        add_RuleServiceServicer_to_server,
        RuleServicer(
            book=book,
            revisions=revisions,
            trials=trials,
            dry_runs=DryRuns(decisions, judging, counting, trials, clock),
            replays=replays,
            shadows=Shadows(database, service.page_tokens),
            promotion=promotion,
            operations=operations,
        ),
    )
    service.add_servicer(add_FreezeServiceServicer_to_server, FreezeServicer(freezes, operations))
    await service.messaging.on_wake(WAKE_SUBJECT, book.prepare)
    for name, task in (
        (
            "sweeper",
            Sweeper(
                service.worker,
                transitions,
                Reminders(database, transitions, clock),
                clock,
                settings.sweep_seconds,
            ).run,
        ),
        ("operations", operations.run),
        ("permit_keys", permits.reload_forever),
        ("rules", partial(book.warm, service.worker)),
        ("built_in_rules", partial(keep, service.worker, book.built_in)),
        ("retention", Retention(service.worker, clock, settings.retention).run),
    ):
        service.background(f"governance.{name}", task)


def _evidence(service: Service[GovernanceSettings], clock: Clock, book: RuleBook) -> Evidence:
    audit = service.channels.channel("audit")
    return Evidence(
        service.database, clock, EntryServiceStub(audit), ExportServiceStub(audit), book.built_in
    )


PROGRAM = Program("governance", GovernanceSettings, assemble)

if __name__ == "__main__":
    main(PROGRAM)
