"""Law 5: every row belongs to one tenant and one identity; crossing over is refused and told."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chenu.audit.v1.entry_service_pb2 import ListEntriesRequest
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.courier.v1 import channel_service_pb2 as channels
from chenu.courier.v1 import delivery_service_pb2 as deliveries
from chenu.courier.v1 import endpoint_service_pb2 as endpoints
from chenu.courier.v1.endpoint_pb2 import Endpoint
from chenu.events.v1.audit_event_pb2 import AUDIT_ACTION_DENY
from chenu.governance.v1 import authorization_service_pb2 as authorization
from chenu.governance.v1 import checkpoint_service_pb2 as checkpoints
from chenu.governance.v1 import evidence_service_pb2 as evidence
from chenu.governance.v1 import freeze_service_pb2 as freezes
from chenu.governance.v1 import grant_service_pb2 as grants
from chenu.governance.v1 import outcome_service_pb2 as outcomes
from chenu.governance.v1 import rule_service_pb2 as rules
from chenu.governance.v1 import tombstone_service_pb2 as tombstones
from chenu.identity.v1 import agent_service_pb2 as agents
from chenu.identity.v1 import auth_service_pb2 as auth
from chenu.identity.v1 import identity_service_pb2 as identities
from chenu.identity.v1 import token_service_pb2 as tokens
from chenu.identity.v1.agent_pb2 import Agent
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from chenu.identity.v1.identity_pb2 import IdentityType
from chenu.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from chenu.nova.v1 import run_service_pb2 as runs
from chenu.threads.v1 import message_service_pb2 as messages
from chenu.threads.v1 import thread_event_service_pb2 as events
from chenu.threads.v1 import thread_service_pb2 as threads
from chenu.threads.v1.thread_event_pb2 import ThreadEventType
from chenu.threads.v1.thread_pb2 import Thread
from kernel.errors import DETAILS_KEY
from tests.laws.hands import Hands
from tests.laws.household import Household, household
from tests.laws.reviewing import BY_ID as REVIEWING
from tests.laws.reviewing import a_deputy, with_session
from tests.laws.stories import reason
from tests.support.descriptors import methods
from tests.support.fleet import Client
from tests.support.identity import Metadata, bearer
from tests.support.waiting import soon

ETAG = "sha256:" + "0" * 64
MASK: dict[str, Any] = {"update_mask": FieldMask(paths=["title"]), "etag": "x"}
NAME: dict[str, Any] = {"update_mask": FieldMask(paths=["name"]), "etag": "x"}
GATED: dict[str, Any] = {"update_mask": FieldMask(paths=["always_gated"]), "etag": "x"}
# One thing by its id: what the id is of, and a request that breaks no other rule.
BY_ID: dict[str, tuple[str, Any]] = {
    "GetThread": ("thread", lambda i: threads.GetThreadRequest(thread_id=i)),
    "UpdateThread": (
        "thread",
        lambda i: threads.UpdateThreadRequest(thread_id=i, thread=Thread(title="x"), **MASK),
    ),
    "ResolveThread": ("thread", lambda i: threads.ResolveThreadRequest(thread_id=i)),
    "ArchiveThread": ("thread", lambda i: threads.ArchiveThreadRequest(thread_id=i)),
    "ReopenThread": ("thread", lambda i: threads.ReopenThreadRequest(thread_id=i)),
    "WatchThread": ("thread", lambda i: threads.WatchThreadRequest(thread_id=i)),
    "AppendThreadEvent": (
        "thread",
        lambda i: events.AppendThreadEventRequest(
            thread_id=i, type=ThreadEventType.THREAD_EVENT_TYPE_NOTE_ADDED
        ),
    ),
    "ListThreadEvents": ("thread", lambda i: events.ListThreadEventsRequest(thread_id=i)),
    "RecordRun": ("thread", lambda i: events.RecordRunRequest(thread_id=i, run_id=i)),
    "CreateMessage": ("thread", lambda i: messages.CreateMessageRequest(thread_id=i, content="x")),
    "ListMessages": ("thread", lambda i: messages.ListMessagesRequest(thread_id=i)),
    "GetContext": ("thread", lambda i: threads.GetContextRequest(thread_id=i)),
    "GetCheckpoint": ("waiting", lambda i: checkpoints.GetCheckpointRequest(checkpoint_id=i)),
    "CancelCheckpoint": ("waiting", lambda i: checkpoints.CancelCheckpointRequest(checkpoint_id=i)),
    "ApproveCheckpoint": (
        "waiting",
        lambda i: checkpoints.ApproveCheckpointRequest(checkpoint_id=i, etag=ETAG),
    ),
    "RejectCheckpoint": (
        "waiting",
        lambda i: checkpoints.RejectCheckpointRequest(checkpoint_id=i, etag=ETAG),
    ),
    "ResolveCheckpoint": (
        "waiting",
        lambda i: checkpoints.ResolveCheckpointRequest(
            checkpoint_id=i, etag=ETAG, option_id="approve"
        ),
    ),
    "GetAuthorization": (
        "decided_request",
        lambda i: authorization.GetAuthorizationRequest(request_id=i),
    ),
    "LiftFreeze": (
        "freeze",
        lambda i: freezes.LiftFreezeRequest(freeze_id=i, request_id=str(uuid4())),
    ),
    "RevokeGrant": ("grant", lambda i: grants.RevokeGrantRequest(grant_id=i)),
    "ExportEvidence": ("waiting", lambda i: evidence.ExportEvidenceRequest(checkpoint_id=i)),
    "LiftTombstone": ("rejected", lambda i: tombstones.LiftTombstoneRequest(checkpoint_id=i)),
    "GetRuleRevision": ("revision", lambda i: rules.GetRuleRevisionRequest(revision=i)),
    **REVIEWING,
    "GetRun": ("run", lambda i: runs.GetRunRequest(run_id=i)),
    "ContinueRun": ("run", lambda i: runs.ContinueRunRequest(run_id=i)),
    "CancelRun": ("run", lambda i: runs.CancelRunRequest(run_id=i)),
    "WatchRun": ("run", lambda i: runs.WatchRunRequest(run_id=i)),
    "GetEndpoint": ("endpoint", lambda i: endpoints.GetEndpointRequest(endpoint_id=i)),
    "DeleteEndpoint": ("endpoint", lambda i: endpoints.DeleteEndpointRequest(endpoint_id=i)),
    "UpdateEndpoint": (
        "endpoint",
        lambda i: endpoints.UpdateEndpointRequest(
            endpoint_id=i, endpoint=Endpoint(name="x"), **NAME
        ),
    ),
    "SwitchChannel": ("channel", lambda i: channels.SwitchChannelRequest(channel_id=i)),
    "ConfirmChannel": ("channel", lambda i: channels.ConfirmChannelRequest(channel_id=i, code="x")),
    "SetChannelGrant": ("channel", lambda i: channels.SetChannelGrantRequest(channel_id=i)),
    "DeleteChannel": ("channel", lambda i: channels.DeleteChannelRequest(channel_id=i)),
    "ReplayNotification": (
        "notification",
        lambda i: channels.ReplayNotificationRequest(notification_id=i),
    ),
    "GetDelivery": ("delivery", lambda i: deliveries.GetDeliveryRequest(delivery_id=i)),
    "ReconcileDelivery": (
        "delivery",
        lambda i: deliveries.ReconcileDeliveryRequest(delivery_id=i, state="DELIVERY_STATE_FAILED"),
    ),
    "ReconcileOutcome": (
        "decision",
        lambda i: outcomes.ReconcileOutcomeRequest(decision_id=i, state="EXECUTION_STATE_FAILED"),
    ),
    "UpdateAgent": (
        "agent",
        lambda i: agents.UpdateAgentRequest(agent_id=i, agent=Agent(always_gated=True), **GATED),
    ),
    "FireAgent": ("agent", lambda i: agents.FireAgentRequest(agent_id=i)),
    "SwitchIdentity": ("identity", lambda i: auth.SwitchIdentityRequest(identity_id=i)),
    "ExchangeDelegation": ("identity", lambda i: tokens.ExchangeDelegationRequest(identity_id=i)),
}
# What takes an id in another way: filters, texts to run in a thread, secrets beside an id.
OTHERWISE = {
    "ListRuns", "ListCheckpoints", "ListDeliveries", "ListLedgerEntries", "ListEntries",
    "ListNotifications", "GetNotice",
    "ExecuteRun", "StartRun", "StreamRun", "SupersedeCheckpoints", "Complete", "CheckEligibility",
    "Login", "IssueVoteToken", "IssueAgentToken", "AuthorizeAction", "AuthorizeActions",
    "ListApprovers", "ExportEntries",
    # Of channels and checkpoints identity knows no more than ids: see its test_ballots.
    "IssueChannelGrant", "RevokeChannelGrant", "IssueBallot",
    # Of a tenant or the system, for auditors alone (test_erasure here, test_retention of audit);
    # the policy of the last two names the audit service as their only caller.
    "CloseAlert", "EraseSubject", "PlaceHold", "ReleaseHold", "GetSubjectKey", "DestroySubjectKey",
}  # fmt: skip


def taking_ids() -> Iterator[Any]:
    """Every RPC whose request names something by an id of its own."""
    for method in methods():
        names = [f.name for f in method.input_type.fields]
        if any(n.endswith("_id") and n != "request_id" for n in names) or method.name in BY_ID:
            yield method


def test_every_rpc_that_takes_an_id_is_among_those_that_are_tried_here() -> None:
    assert {m.name for m in taking_ids()} <= set(BY_ID) | OTHERWISE


@pytest.fixture(scope="module")
async def theirs(fleet: Any, hands: Hands) -> Household:
    """What somebody else has."""
    return await household(await fleet.register(), hands)


@pytest.fixture(scope="module")
async def their_deputy(theirs: Household) -> str:
    """Somebody who votes in the owner's place."""
    return await a_deputy(theirs.owner)


async def credentials(method: Any, me: Client, hands: Hands, at: str) -> Metadata:
    """The stranger's own good tokens for this RPC."""
    if method.name in {"ApproveCheckpoint", "RejectCheckpoint", "ResolveCheckpoint"}:
        return bearer(await hands.vote_token(me, at, ETAG))
    if method.containing_service.name == "RunService":
        return await me.nova()
    return await hands.nova(me) if method.name == "GetContext" else me.me


async def refusal(hands: Hands, method: Any, request: Any, metadata: Metadata) -> tuple[Any, ...]:
    """Every byte that a refused client is sent."""
    service = method.containing_service.file.package.split(".")[1]
    channel = hands.fleet.channel(service)
    path = f"/{method.containing_service.full_name}/{method.name}"
    make: Any = channel.unary_stream if method.server_streaming else channel.unary_unary
    call = make(path)(request.SerializeToString(), metadata=metadata, timeout=30)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await (anext(aiter(call)) if method.server_streaming else call)
    error = refused.value
    return error.code(), error.details(), dict(error.trailing_metadata() or ())[DETAILS_KEY]


@pytest.mark.parametrize("method", [m for m in methods() if m.name in BY_ID], ids=lambda m: m.name)
async def test_what_is_somebody_elses_is_refused_byte_for_byte_like_what_does_not_exist(
    theirs: Household, their_deputy: str, stranger: Client, hands: Hands, method: Any
) -> None:
    noun, request = BY_ID[method.name]
    ids = {
        "waiting": theirs.waiting.checkpoint_id,
        "identity": theirs.owner.identity_id,
        **{noun: id_ for noun, id_ in vars(theirs).items() if isinstance(id_, str)},
        "person": theirs.owner.session.session.user.user_id,
        "deputy": their_deputy,
    }
    # A revision is named by a hash, everything else by a UUID.
    missing = f"sha256:{uuid4().hex * 2}" if noun == "revision" else str(uuid4())
    answers = []
    for own in (ids[noun], missing):
        metadata = await credentials(method, stranger, hands, own)
        answers.append(await refusal(hands, method, with_session(request(own), stranger), metadata))
    foreign, nothing = answers
    assert foreign[0] is grpc.StatusCode.PERMISSION_DENIED
    assert foreign == nothing


async def test_no_list_shows_or_counts_anything_of_somebody_elses(
    theirs: Household, stranger: Client
) -> None:
    nova = await stranger.nova()
    run: dict[str, Any] = {"run_id": theirs.run}
    thread: dict[str, Any] = {"thread_id": theirs.thread}
    for fields in ({}, run, thread):
        waiting = checkpoints.ListCheckpointsRequest(all_states=True, include_total=True, **fields)
        found = await stranger.checkpoints.ListCheckpoints(waiting, metadata=stranger.me)
        assert (len(found.checkpoints), found.total_size) == (0, 0)
    for fields in ({}, thread):
        request = runs.ListRunsRequest(include_total=True, **fields)
        listed = await stranger.runs.ListRuns(request, metadata=nova)
        assert (len(listed.runs), listed.total_size) == (0, 0)
    endpoint = deliveries.ListDeliveriesRequest(endpoint_id=theirs.endpoint)
    sent = await stranger.deliveries.ListDeliveries(endpoint, metadata=stranger.me)
    assert not sent.deliveries
    counted = await stranger.checkpoints.CountCheckpoints(
        checkpoints.CountCheckpointsRequest(), metadata=stranger.me
    )
    assert counted.pending == 0


async def test_another_persons_page_token_opens_none_of_their_pages(
    theirs: Household, stranger: Client
) -> None:
    owner = theirs.owner
    for title in ("One", "Two", "Three"):
        await owner.new_thread(title)
    first = threads.ListThreadsRequest(page_size=1)
    page = await owner.threads.ListThreads(first, metadata=owner.me)
    second = threads.ListThreadsRequest(page_size=1, page_token=page.next_page_token)
    stolen = await stranger.threads.ListThreads(second, metadata=stranger.me)
    assert not stolen.threads


async def test_the_identities_of_one_person_share_nothing_either(me: Client) -> None:
    thread_id = await me.new_thread("Of the first identity")
    shop = await IdentityServiceStub(me.fleet.channel("identity")).CreateIdentity(
        identities.CreateIdentityRequest(
            type=IdentityType.IDENTITY_TYPE_ENTERPRISE, display_name="Shop"
        ),
        metadata=me.me,
    )
    switched = await AuthServiceStub(me.fleet.channel("identity")).SwitchIdentity(
        auth.SwitchIdentityRequest(identity_id=shop.identity.identity_id), metadata=me.me
    )
    other = bearer(switched.access_token)
    listed = await me.threads.ListThreads(threads.ListThreadsRequest(), metadata=other)
    assert not listed.threads
    read = me.threads.GetThread(threads.GetThreadRequest(thread_id=thread_id), metadata=other)
    assert await reason(read) == ("PERMISSION_DENIED", "FORBIDDEN")


async def test_each_attempt_to_cross_over_is_in_the_audit_log(
    theirs: Household, stranger: Client
) -> None:
    request = threads.GetThreadRequest(thread_id=theirs.thread)
    await reason(stranger.threads.GetThread(request, metadata=stranger.me))
    audit = EntryServiceStub(stranger.fleet.channel("audit"))

    async def denied() -> Any:
        listed = await audit.ListEntries(
            ListEntriesRequest(action=AUDIT_ACTION_DENY), metadata=stranger.me
        )
        return [e for e in listed.entries if "GetThread" in e.event.subject]

    (entry,) = await soon(denied, "the denial is in the log")
    facts = entry.event.data
    assert (facts.reason, facts.actor.person) == (
        "FORBIDDEN",
        stranger.session.session.user.user_id,
    )
    assert list(facts.targets) == [f"thread/{theirs.thread}"]
