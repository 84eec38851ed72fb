"""One class for each reason of `error_reason.proto`."""

import math
from datetime import timedelta

from kernel.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
)


class EmailTaken(AlreadyExists):
    """Somebody registered with this e-mail before."""

    reason = "EMAIL_TAKEN"
    message = "this e-mail already has an account"


class PasswordTooWeak(InvalidArgument):
    """Told before anything is stored."""

    reason = "PASSWORD_TOO_WEAK"
    message = "a password has at least 8 characters, among them a letter and a digit"


class WrongCredentials(Unauthenticated):
    """The same words whichever half is wrong."""

    reason = "WRONG_CREDENTIALS"
    message = "these credentials do not belong together"


class TooManyAttempts(ResourceExhausted):
    """Says when to try again, and not which of the limits was reached."""

    reason = "TOO_MANY_ATTEMPTS"
    message = "too many attempts; try again later"

    def __init__(self, wait: timedelta) -> None:
        seconds = max(1, math.ceil(wait.total_seconds()))
        super().__init__(retry_after=timedelta(seconds=seconds), retry_after_seconds=str(seconds))


class RefreshTokenInvalid(Unauthenticated):
    """Unknown, too old, or of a session that has ended."""

    reason = "REFRESH_TOKEN_INVALID"
    message = "the refresh token is not valid; log in again"


class RefreshTokenReused(Unauthenticated):
    """Two hold the same token, so neither may go on."""

    reason = "REFRESH_TOKEN_REUSED"
    message = "the refresh token was used before; the session has been ended"


class SessionInvalid(Unauthenticated):
    """Logged out, ended, run out, or never there."""

    reason = "SESSION_INVALID"
    message = "the session has ended or is unknown; log in again"


class SessionSecretRequired(SessionInvalid):
    """A token may be in other hands than its person's."""

    message = (
        "this lets an agent do more, and takes the secret of your session (over HTTP: its cookie)"
    )


class DelegationEnded(FailedPrecondition):
    """Nova must not go on for this person."""

    reason = "DELEGATION_ENDED"
    message = "the delegation has ended"


class ChannelGrantEnded(FailedPrecondition):
    """Expired, revoked, used up, or its session or person is gone: one answer for all."""

    reason = "CHANNEL_GRANT_ENDED"
    message = "nothing is decided from this channel any more; log in, or allow it again there"


class BallotInvalid(Unauthenticated):
    """Forged, garbled or too old."""

    reason = "BALLOT_INVALID"
    message = "the ballot is not valid any more; log in to decide"


class AssertionInvalid(Unauthenticated):
    """Not signed by a registered key, too old, or used before."""

    reason = "ASSERTION_INVALID"
    message = "the assertion does not verify"


class TicketInvalid(Unauthenticated):
    """One answer whether it is too old, was used, or is for another path."""

    reason = "TICKET_INVALID"
    message = "the ticket is not valid; each stream takes a new one"


class NotAnOwner(PermissionDenied):
    """What concerns the people of a tenant is for its owners."""

    reason = "NOT_AN_OWNER"
    message = "only somebody with the role owner does that; ask an owner of your tenant"


class LastOwner(FailedPrecondition):
    """Nobody could invite, or give roles, ever again."""

    reason = "LAST_OWNER"
    message = "the tenant would have no owner left; give somebody else that role first"


class AgentFired(FailedPrecondition):
    """What is over stays as it was."""

    reason = "AGENT_FIRED"
    message = "the agent was fired; hire another one"


class InvitationInvalid(Unauthenticated):
    """Unknown, used or too old: one answer for all three."""

    reason = "INVITATION_INVALID"
    message = "the invitation is not valid any more; ask for another"
