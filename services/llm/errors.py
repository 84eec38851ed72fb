"""What can go wrong with a call to a model: one class for each reason of `error_reason.proto`."""

from kernel.errors import FailedPrecondition, InvalidArgument, ResourceExhausted, Unavailable


class ModelNotAllowed(InvalidArgument):
    """The role may not use that model."""

    reason = "MODEL_NOT_ALLOWED"


class ProviderRateLimited(ResourceExhausted):
    """The provider's limit is reached."""

    reason = "PROVIDER_RATE_LIMITED"


class ProviderUnavailable(Unavailable):
    """The provider is overloaded, unreachable or failing."""

    reason = "PROVIDER_UNAVAILABLE"


class ProviderRefused(FailedPrecondition):
    """The provider will not answer this call as it stands."""

    reason = "PROVIDER_REFUSED"


class ModelMismatch(FailedPrecondition):
    """The answer came from another model than the role allows; it was thrown away."""

    reason = "MODEL_MISMATCH"


class ProviderNotConfigured(FailedPrecondition):
    """There is no key for the provider."""

    reason = "PROVIDER_NOT_CONFIGURED"


class AnswerUnusable(FailedPrecondition):
    """The model answered what cannot be taken: too much, or with more than one reading."""

    reason = "ANSWER_UNUSABLE"
