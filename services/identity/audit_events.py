"""Each event of this service, by name. Ids and causes only: never a name, an e-mail or an address.

`caller` is whose record it is and who did it: the person whom a public RPC
turned out to be about, not the nobody who called it.
"""

from collections.abc import Mapping
from typing import Final

from chenu.events.v1.audit_event_pb2 import (
    AUDIT_ACTION_AGENT_FIRED,
    AUDIT_ACTION_AGENT_HIRED,
    AUDIT_ACTION_CREATE,
    AUDIT_ACTION_DELETE,
    AUDIT_ACTION_LOGIN,
    AUDIT_ACTION_LOGOUT,
    AUDIT_ACTION_READ,
    AUDIT_ACTION_UPDATE,
    AuditAction,
)
from kernel.audit_event import AuditRecord, record
from kernel.caller import Caller
from kernel.database import Record

_SOURCE: Final = "identity"
Personal = Mapping[str, str]


def _event(
    type_: str,
    action: AuditAction,
    subject: str,
    caller: Caller,
    personal: Personal | None = None,
    **details: str,
) -> AuditRecord:
    return record(
        source=_SOURCE, type=type_, action=action, subject=subject, caller=caller, details=details,
        personal=personal,
    )  # fmt: skip


def tenant_created(caller: Caller) -> AuditRecord:
    """With its founder, who is the caller."""
    return _event("tenant.created", AUDIT_ACTION_CREATE, f"tenant/{caller.tenant}", caller)


def user_registered(caller: Caller, personal: Personal | None) -> AuditRecord:
    """A person's account; under which e-mail is personal."""
    roles = ",".join(caller.roles)
    return _event(
        "user.registered",
        AUDIT_ACTION_CREATE,
        f"user/{caller.person}",
        caller,
        personal,
        roles=roles,
    )


def identity_created(caller: Caller, identity: str, kind: str) -> AuditRecord:
    """Another capacity to act in; the record belongs to the identity under which it was made."""
    return _event(
        "identity.created", AUDIT_ACTION_CREATE, f"identity/{identity}", caller, kind=kind
    )


def person_invited(caller: Caller, invitation: str, roles: list[str]) -> AuditRecord:
    """Somebody may join the tenant, with these roles."""
    return _event(
        "person.invited", AUDIT_ACTION_CREATE, f"invitation/{invitation}", caller,
        roles=",".join(roles),
    )  # fmt: skip


def person_joined(caller: Caller, invitation: str) -> AuditRecord:
    """The caller took up an invitation."""
    return _event(
        "person.joined", AUDIT_ACTION_UPDATE, f"invitation/{invitation}", caller,
        person=caller.person,
    )  # fmt: skip


def roles_set(caller: Caller, person: str, roles: list[str]) -> AuditRecord:
    """By an owner; these are all that the person has now."""
    subject = f"user/{person}"
    return _event("roles.set", AUDIT_ACTION_UPDATE, subject, caller, roles=",".join(roles))


def person_deactivated(caller: Caller, person: str) -> AuditRecord:
    """By an owner, for good."""
    return _event("person.deactivated", AUDIT_ACTION_UPDATE, f"user/{person}", caller)


def session_started(caller: Caller, personal: Personal | None) -> AuditRecord:
    """A person came in; from where is personal."""
    subject = f"session/{caller.session}"
    return _event("session.started", AUDIT_ACTION_LOGIN, subject, caller, personal)


def subject_key_read(tenant: str, person: str, there_is_one: bool) -> AuditRecord:
    """Audit opens what records say of a person; the record is the tenant's."""
    return record(
        source=_SOURCE, type="subject_key.read", action=AUDIT_ACTION_READ,
        subject=f"user/{person}", tenant=tenant, details={"found": str(there_is_one).lower()},
    )  # fmt: skip


def people_read(caller: Caller, count: int) -> AuditRecord:
    """Somebody looked at who is in their tenant."""
    subject = f"tenant/{caller.tenant}"
    return _event("people.read", AUDIT_ACTION_READ, subject, caller, count=str(count))


def subject_key_destroyed(tenant: str, person: str, there_was_one: bool) -> AuditRecord:
    """What the log says of a person can no longer be read; the record is the tenant's."""
    return record(
        source=_SOURCE, type="subject_key.destroyed", action=AUDIT_ACTION_DELETE,
        subject=f"user/{person}", tenant=tenant,
        details={"destroyed": str(there_was_one).lower()},
    )  # fmt: skip


def session_refreshed(caller: Caller) -> AuditRecord:
    """A refresh token was exchanged."""
    return _event("session.refreshed", AUDIT_ACTION_UPDATE, f"session/{caller.session}", caller)


def session_switched(caller: Caller, to: str) -> AuditRecord:
    """The session goes on under another identity of the person."""
    subject = f"session/{caller.session}"
    return _event("session.switched", AUDIT_ACTION_UPDATE, subject, caller, to_identity=to)


def session_ended(caller: Caller, session: str, cause: str) -> AuditRecord:
    """Logged out, or ended for a reason."""
    return _event("session.ended", AUDIT_ACTION_LOGOUT, f"session/{session}", caller, cause=cause)


def login_refused(tenant: str, identity: str, user: str, origin: str) -> AuditRecord:
    """Nobody came in; the record is the person's whose e-mail it was, if it is anyone's.

    `origin` is a digest that tells addresses apart.
    """
    return record(
        source=_SOURCE, type="login.refused", action=AUDIT_ACTION_LOGIN,
        subject=f"user/{user or 'unknown'}", tenant=tenant, identity=identity,
        outcome="UNAUTHENTICATED", reason="WRONG_CREDENTIALS", details={"origin": origin},
    )  # fmt: skip


def attempts_exhausted(caller: Caller, purpose: str, origin: str) -> AuditRecord:
    """The first refusal of a window; the others would only fill the log."""
    return record(
        source=_SOURCE, type="attempts.exhausted", action=AUDIT_ACTION_LOGIN,
        subject=f"attempts/{purpose}", caller=caller, outcome="RESOURCE_EXHAUSTED",
        reason="TOO_MANY_ATTEMPTS", details={"origin": origin},
    )  # fmt: skip


def password_changed(caller: Caller) -> AuditRecord:
    """By the person."""
    return _event("password.changed", AUDIT_ACTION_UPDATE, f"user/{caller.person}", caller)


def agent_hired(caller: Caller, agent: str) -> AuditRecord:
    """By a person, for the calling identity."""
    return _event("agent.hired", AUDIT_ACTION_AGENT_HIRED, f"agent/{agent}", caller)


def agent_updated(caller: Caller, agent: str, changed: list[str]) -> AuditRecord:
    """By a person; `changed` are the names of the fields."""
    subject = f"agent/{agent}"
    return _event(
        "agent.updated", AUDIT_ACTION_UPDATE, subject, caller, changed=",".join(sorted(changed))
    )


def agent_fired(caller: Caller, agent: str) -> AuditRecord:
    """By a person."""
    return _event("agent.fired", AUDIT_ACTION_AGENT_FIRED, f"agent/{agent}", caller)


def agent_token_issued(caller: Caller, token_id: str) -> AuditRecord:
    """An agent came in."""
    subject = f"agent/{caller.agent}"
    return _event("agent_token.issued", AUDIT_ACTION_LOGIN, subject, caller, token=token_id)


def vote_token_issued(
    caller: Caller, checkpoint: str, view_digest: str, token_id: str
) -> AuditRecord:
    """The right to cast one vote."""
    return _event(
        "vote_token.issued", AUDIT_ACTION_CREATE, f"checkpoint/{checkpoint}", caller,
        view_digest=view_digest, token=token_id,
    )  # fmt: skip


def channel_grant_issued(
    caller: Caller, grant: str, channel: str, method: str, token_id: str
) -> AuditRecord:
    """A channel may be decided from."""
    return _event(
        "channel_grant.issued", AUDIT_ACTION_CREATE, f"channel_grant/{grant}", caller,
        channel=channel, method=method, token=token_id,
    )  # fmt: skip


def channel_grant_revoked(caller: Caller, grant: str, channel: str) -> AuditRecord:
    """By the person, or because another one took its place."""
    subject = f"channel_grant/{grant}"
    return _event("channel_grant.revoked", AUDIT_ACTION_UPDATE, subject, caller, channel=channel)


def ballot_issued(
    caller: Caller, grant: Record, claims: Mapping[str, str], ballot: str
) -> AuditRecord:
    """Courier may send the person a ballot on this view."""
    return _ballot("ballot.issued", caller, grant, claims, ballot)


def ballot_redeemed(
    caller: Caller, grant: Record, claims: Mapping[str, str], ballot: str
) -> AuditRecord:
    """Somebody brought it back, to look or to vote."""
    return _ballot("ballot.redeemed", caller, grant, claims, ballot)


def _ballot(
    type_: str, caller: Caller, grant: Record, bound: Mapping[str, str], ballot: str
) -> AuditRecord:
    return _event(
        type_, AUDIT_ACTION_CREATE, f"checkpoint/{bound['checkpoint']}", caller,
        view_digest=bound["view_digest"], grant=str(grant["grant_id"]),
        channel=str(grant["channel_id"]), method=str(grant["method"]), token=ballot,
    )  # fmt: skip


def ticket_issued(caller: Caller, path: str, token_id: str) -> AuditRecord:
    """The right to open one stream of events."""
    subject = f"session/{caller.session}"
    return _event("ticket.issued", AUDIT_ACTION_CREATE, subject, caller, path=path, token=token_id)


def ticket_redeemed(caller: Caller, path: str, token_id: str) -> AuditRecord:
    """The stream was opened."""
    subject = f"session/{caller.session}"
    return _event("ticket.redeemed", AUDIT_ACTION_LOGIN, subject, caller, path=path, token=token_id)


def delegation_issued(caller: Caller, delegation: str, token_id: str) -> AuditRecord:
    """Nova may act for the caller."""
    subject = f"delegation/{delegation}"
    return _event("delegation.issued", AUDIT_ACTION_CREATE, subject, caller, token=token_id)


def delegation_renewed(caller: Caller, delegation: str, token_id: str) -> AuditRecord:
    """Nova goes on acting for the caller."""
    subject = f"delegation/{delegation}"
    return _event("delegation.renewed", AUDIT_ACTION_UPDATE, subject, caller, token=token_id)


def service_key_registered(service: str, kid: str) -> AuditRecord:
    """From a file, at start."""
    subject = f"service/{service}"
    return _event("service_key.registered", AUDIT_ACTION_CREATE, subject, Caller.system(), kid=kid)


def token_key_published(kid: str) -> AuditRecord:
    """By the operator's command; soon it signs, and the one before it is retired."""
    subject = f"token_key/{kid}"
    return _event("token_key.published", AUDIT_ACTION_CREATE, subject, Caller.system())
