"""One delivery: signed, tried, tried again where that can do no harm, and judged."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from standardwebhooks import Webhook

from chenu_gate.executor import ExecutionState
from services.courier.dialing import Answered, Dialer, NotSent, Result, Uncertain

GONE: Final = 410
_TRY_LATER: Final = frozenset({408, 425, 429})
_USER_AGENT: Final = "CHE-NU-courier/1"


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent: the body goes out byte for byte, under an id that never changes."""

    webhook_id: str
    url: str
    body: bytes
    secret: str
    idempotent: bool


@dataclass(frozen=True, slots=True)
class Ending:
    """How a delivery ended. FAILED is certain: nothing happened, or it was refused."""

    state: ExecutionState
    reason: str
    attempts: int
    http_status: int = 0


class Sender:
    """Sends letters, with the same patience for each."""

    def __init__(self, dialer: Dialer, *, attempts: int, retry_seconds: float) -> None:
        self._dialer, self._attempts, self._retry = dialer, attempts, retry_seconds

    async def send(self, letter: Letter) -> Ending:
        """Try until it is settled, or there is no harmless way to try again."""
        uncertain = False
        attempt = 1
        while True:
            headers = signed_headers(letter, datetime.now(UTC))
            result = await self._dialer.post(letter.url, letter.body, headers)
            last = attempt == self._attempts
            if last or not may_retry(result, idempotent=letter.idempotent):
                return ending(result, attempt, uncertain_before=uncertain)
            uncertain = uncertain or may_have_arrived(result)
            await asyncio.sleep(self._retry * 2 ** (attempt - 1))
            attempt += 1


def signed_headers(letter: Letter, now: datetime) -> dict[str, str]:
    """Standard Webhooks: id, time and body under the endpoint's own secret."""
    signature = Webhook(letter.secret).sign(letter.webhook_id, now, letter.body.decode())
    return {
        "content-type": "application/json",
        "user-agent": _USER_AGENT,
        "webhook-id": letter.webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }


def may_retry(result: Result, *, idempotent: bool) -> bool:
    """Where nothing was written, or where the endpoint knows a repeat by its id."""
    match result:
        case NotSent(reason):
            return not reason.startswith("URL_REFUSED")
        case Uncertain():
            return idempotent
        case Answered(status):
            return idempotent and (status >= 500 or status in _TRY_LATER)


def may_have_arrived(result: Result) -> bool:
    """Whether the endpoint may have done what it was asked, for all that is known."""
    return isinstance(result, Uncertain) or (isinstance(result, Answered) and result.status >= 500)


def ending(result: Result, attempts: int, *, uncertain_before: bool) -> Ending:
    """What the last result makes of the delivery, given what became of those before it."""
    status = result.status if isinstance(result, Answered) else 0
    reason = f"HTTP_{status}" if isinstance(result, Answered) else result.reason
    if 200 <= status < 300:
        return Ending(ExecutionState.SUCCEEDED, "OK", attempts, status)
    if uncertain_before or may_have_arrived(result):
        return Ending(ExecutionState.UNKNOWN, reason, attempts, status)
    return Ending(ExecutionState.FAILED, reason, attempts, status)
