"""Every change there is, by the service and the RPC that makes it."""

from tests.laws.changes import courier, governance, identity, nova, threads
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
}
