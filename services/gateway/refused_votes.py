"""Why a vote from a mail or a chat did not count, and what to do next, in plain words. Pure."""

from typing import Final, NamedTuple

import grpc
from google.rpc.error_details_pb2 import ErrorInfo

from kernel.errors import detail


class Refusal(NamedTuple):
    """What a person is told."""

    why: str
    next_step: str


_LOG_IN: Final = "Log in and decide there."
_NOTHING_MORE: Final = "There is nothing left for you to do."
_OVER: Final = Refusal("It was decided, or has ended, before your vote came.", _NOTHING_MORE)
_AGAIN: Final = f"Try again in a minute. Or: {_LOG_IN}"
_AWAY: Final = Refusal("A part of CHE·NU does not answer at this moment.", _AGAIN)
_NOT_FROM_HERE: Final = Refusal(
    "Nothing is decided from here any more: the time for that is over, you have logged out, or you"
    " have forbidden it.",
    f"{_LOG_IN} From there you can also allow this channel again.",
)
_BY_REASON: Final = {
    "BALLOT_INVALID": Refusal(
        "What you opened is not whole, or too old.", f"Open the latest message. Or: {_LOG_IN}"
    ),
    "CHANNEL_DECIDES_NOTHING": _NOT_FROM_HERE,
    "CHANNEL_DISABLED": Refusal(
        "You have switched this channel off.", f"{_LOG_IN} Or switch the channel on."
    ),
    "CHANNEL_GRANT_ENDED": _NOT_FROM_HERE,
    "CHECKPOINT_CLAIMED": Refusal(
        "Somebody else is looking at it, and has asked the others to wait.",
        "Wait until they are done, or ask them to release it.",
    ),
    "CHECKPOINT_EXPIRED": _OVER,
    "CHECKPOINT_NOT_PENDING": _OVER,
    "ETAG_MISMATCH": Refusal(
        "What would be done has changed since this was sent to you.",
        "Look at the newer message about it, and decide that.",
    ),
    "FORBIDDEN": Refusal("You may not see this any more.", _NOTHING_MORE),
    "LOGIN_REQUIRED": Refusal(
        "It could do more harm than may be decided from a mail or a chat.",
        f"{_LOG_IN} There you see it whole.",
    ),
    "NOT_ENTITLED": Refusal(
        "You are not, or no longer, among those who may decide this.",
        "Those who may have been asked as well.",
    ),
    "NOT_ENTITLED/ALREADY_VOTED": Refusal("You have voted on it before.", _NOTHING_MORE),
    "NOT_ENTITLED/ANOTHER_STAGE": Refusal(
        "Others must approve it before you.", "You are asked again when it is your turn."
    ),
    "NOT_ENTITLED/FOUR_EYES": Refusal(
        "It needs other eyes than yours: you asked for it, it is done for you, or you edited it.",
        "Somebody else must decide it.",
    ),
    "NOT_ENTITLED/SEAT_TAKEN": Refusal(
        "Somebody has voted in your place, or you in theirs.", _NOTHING_MORE
    ),
    "VOTE_TOKEN_USED": Refusal(
        "You have voted with this before, and otherwise.",
        "The first vote counts. If it still waits, log in to see how it stands.",
    ),
}


def refused_vote(error: grpc.aio.AioRpcError) -> Refusal:
    """The words for it; the service's own where there are none."""
    info = detail(error, ErrorInfo)
    if info is None:  # no service said it: the way to one broke
        return _AWAY
    known = _BY_REASON.get(f"{info.reason}/{info.metadata.get('cause', '')}")
    return known or _BY_REASON.get(info.reason) or Refusal(error.details() or "", _AGAIN)
