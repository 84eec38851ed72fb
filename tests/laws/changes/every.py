"""Every change there is, by the service and the RPC that makes it."""

from tests.laws.changes import courier, governance, identity, nova, reviews, threads
from tests.laws.changes.scene import Prepare

CHANGES: dict[tuple[str, str], Prepare] = {
    ("identity", "AuthService.Register"): identity.register,
    ("identity", "AuthService.Login"): identity.login,
    ("identity", "AuthService.RefreshSession"): identity.refresh_session,
    ("identity", "AuthService.Logout"): identity.logout,
    ("identity", "AuthService.SwitchIdentity"): identity.switch_identity,
    ("identity", "AuthService.ChangePassword"): identity.change_password,
    ("identity", "IdentityService.CreateIdentity"): identity.create_identity,
    ("identity", "AgentService.HireAgent"): identity.hire_agent,
    ("identity", "AgentService.FireAgent"): identity.fire_agent,
    ("identity", "PeopleService.InvitePerson"): identity.invite_person,
    ("identity", "PeopleService.SetPersonRoles"): identity.set_person_roles,
    ("identity", "PeopleService.DeactivatePerson"): identity.deactivate_person,
    ("identity", "TokenService.IssueAgentToken"): identity.issue_agent_token,
    ("identity", "TokenService.IssueVoteToken"): identity.issue_vote_token,
    ("identity", "TokenService.ExchangeDelegation"): identity.exchange_delegation,
    ("identity", "TokenService.RenewDelegation"): identity.renew_delegation,
    ("threads", "ThreadService.CreateThread"): threads.create_thread,
    ("threads", "ThreadService.UpdateThread"): threads.update_thread,
    ("threads", "ThreadService.ResolveThread"): threads.status("ResolveThread"),
    ("threads", "ThreadService.ArchiveThread"): threads.status("ArchiveThread"),
    ("threads", "ThreadService.ReopenThread"): threads.status("ReopenThread", "ArchiveThread"),
    ("threads", "ThreadEventService.AppendThreadEvent"): threads.append_event,
    ("threads", "MessageService.CreateMessage"): threads.create_message,
    ("threads", "ExecutorService.ExecuteAction"): threads.execute,
    ("courier", "ExecutorService.ExecuteAction"): courier.execute,
    ("courier", "EndpointService.CreateEndpoint"): courier.create_endpoint,
    ("courier", "EndpointService.UpdateEndpoint"): courier.update_endpoint,
    ("courier", "EndpointService.DeleteEndpoint"): courier.delete_endpoint,
    ("courier", "DeliveryService.ReconcileDelivery"): courier.reconcile_delivery,
    ("governance", "AuthorizationService.AuthorizeAction"): governance.authorize_action,
    ("governance", "AuthorizationService.AuthorizeActions"): governance.authorize_actions,
    ("governance", "CheckpointService.ApproveCheckpoint"): governance.vote("ApproveCheckpoint"),
    ("governance", "CheckpointService.RejectCheckpoint"): governance.vote("RejectCheckpoint"),
    ("governance", "CheckpointService.ResolveCheckpoint"): governance.vote(
        "ResolveCheckpoint", option_id="approve"
    ),
    ("governance", "CheckpointService.CancelCheckpoint"): governance.cancel_checkpoint,
    ("governance", "CheckpointService.SupersedeCheckpoints"): governance.supersede_checkpoints,
    ("governance", "ReviewService.ClaimCheckpoint"): reviews.review("ClaimCheckpoint"),
    ("governance", "ReviewService.ReleaseCheckpoint"): reviews.review(
        "ReleaseCheckpoint", "ClaimCheckpoint"
    ),
    ("governance", "ReviewService.AssignCheckpoint"): reviews.review("AssignCheckpoint"),
    ("governance", "ReviewService.CommentCheckpoint"): reviews.review(
        "CommentCheckpoint", text="Why?", is_question=True
    ),
    ("governance", "DeputyService.AppointDeputy"): reviews.appoint_deputy,
    ("governance", "DeputyService.DismissDeputy"): reviews.dismiss_deputy,
    ("governance", "FreezeService.Freeze"): governance.freeze,
    ("governance", "FreezeService.LiftFreeze"): governance.lift_freeze,
    ("governance", "TombstoneService.LiftTombstone"): governance.lift_tombstone,
    ("governance", "OutcomeService.ReportOutcomes"): governance.report_outcomes,
    ("nova", "RunService.ExecuteRun"): nova.execute_run,
    ("nova", "RunService.StartRun"): nova.start_run,
    ("nova", "RunService.StreamRun"): nova.stream_run,
    ("nova", "RunService.CancelRun"): nova.cancel_run,
    ("llm", "CompletionService.Complete"): nova.complete,
    ("llm", "CompletionService.StreamComplete"): nova.stream_complete,
    # Readings that are themselves recorded.
    ("audit", "EntryService.GetEntry"): courier.read("GetEntry"),
    ("audit", "EntryService.ListEntries"): courier.read("ListEntries"),
    ("audit", "EntryService.GetStatistics"): courier.read("GetStatistics"),
    ("audit", "EntryService.GetViolationReport"): courier.read("GetViolationReport"),
    ("audit", "EntryService.WatchEntries"): courier.watch,
    ("audit", "ExportService.ExportEntries"): courier.export,
}
