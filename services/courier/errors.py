"""What can go wrong with endpoints and deliveries: one class for each reason."""

from kernel.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
)


class UrlRefused(InvalidArgument):
    """The address may not be called; the cause says why, never what a name resolved to."""

    reason = "URL_REFUSED"
    message = "this address may not be called"


class EndpointNameTaken(AlreadyExists):
    """Names are what people and plans call endpoints by."""

    reason = "ENDPOINT_NAME_TAKEN"
    message = "another endpoint has this name"


class EndpointDisabled(FailedPrecondition):
    """The decision is not used up."""

    reason = "ENDPOINT_DISABLED"
    message = "the endpoint is disabled"


class ChannelNameTaken(AlreadyExists):
    """Names are what people call channels by."""

    reason = "CHANNEL_NAME_TAKEN"
    message = "another channel has this name"


class ChannelDisabled(FailedPrecondition):
    """Nothing is sent to it."""

    reason = "CHANNEL_DISABLED"
    message = "the channel is switched off; switch it on first"


class MailNotConfigured(FailedPrecondition):
    """Whoever runs the service has named no SMTP server."""

    reason = "MAIL_NOT_CONFIGURED"
    message = "this service sends no mails: CHENU_COURIER_SMTP_HOST is not set"


class ChannelNotConfirmed(FailedPrecondition):
    """Nobody has shown yet that messages arrive where they should."""

    reason = "CHANNEL_NOT_CONFIRMED"
    message = "the channel is not confirmed: give back the code that was sent there first"


class ConfirmationInvalid(InvalidArgument):
    """Wrong ones are counted: a code of forty random bits is not to be guessed."""

    reason = "CONFIRMATION_INVALID"
    message = "this is not the code that was sent to the channel"


class ConfirmationUsedUp(FailedPrecondition):
    """Too many wrong ones came; the right one is not taken any more, either."""

    reason = "CONFIRMATION_USED_UP"
    message = (
        "too many wrong codes were given back: have a new one sent by replaying the notification"
        " that bore it, and give that back"
    )


class TooManyCodes(ResourceExhausted):
    """Nobody has an address flooded, or ours taken for a sender of such things."""

    reason = "TOO_MANY_CODES"
    message = "enough codes were sent to this address, or by you, in an hour: wait, then ask again"


class ChannelGrantInvalid(InvalidArgument):
    """Of another channel, person or identity, expired, or for a kind that decides nothing."""

    reason = "CHANNEL_GRANT_INVALID"
    message = "this is no grant of yours for this channel"


class ChannelDecidesNothing(FailedPrecondition):
    """Its owner has taken the grant away; older messages still bear buttons."""

    reason = "CHANNEL_DECIDES_NOTHING"
    message = "nothing is decided from this channel: log in, or allow it again there"


class InteractionRefused(Unauthenticated):
    """One answer for whatever is wrong with it."""

    reason = "INTERACTION_REFUSED"
    message = "the interaction is not signed by the channel's app, now, for the channel's user"


class InteractionReplayed(Aborted):
    """Each is taken once."""

    reason = "INTERACTION_REPLAYED"
    message = "this interaction came before"


class DeliveryNotUnknown(FailedPrecondition):
    """What is known needs no reconciling."""

    reason = "DELIVERY_NOT_UNKNOWN"
    message = "only a delivery whose end is unknown is reconciled"


class TargetChanged(FailedPrecondition):
    """The decision is not used up; a new plan needs a new one."""

    reason = "TARGET_CHANGED"
    message = "the endpoint is not what it was when the action was planned; plan again"


class EffectFailed(FailedPrecondition):
    """It was tried and failed for certain."""

    reason = "EFFECT_FAILED"
    message = "the message was not delivered"


class OutcomeUnknown(FailedPrecondition):
    """It may have been delivered; it is not tried again."""

    reason = "OUTCOME_UNKNOWN"
    message = "it cannot be known whether the message was delivered; reconcile the delivery"


class DecisionUsed(PermissionDenied):
    """The decision was executed for somebody else, or for another action."""

    reason = "PERMIT_ACTION"
    message = "the decision was executed for another action"
