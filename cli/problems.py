"""Failures in words: what happened, the status as the client got it, what to type next."""

from collections.abc import Mapping
from typing import Any, Final

import grpc
from google.protobuf.json_format import MessageToDict
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo

from chenu.governance.v1.checkpoint_pb2 import CheckpointBlock
from chenu_gate.block import block_of
from kernel.errors import detail

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
BLOCKED: Final = 3
DENIED: Final = 4
EXPIRED: Final = 5
NOT_LOGGED_IN: Final = 6
UNREACHABLE: Final = 7
INTERRUPTED: Final = 130

EXIT_CODES: Final = """
Exit codes: 0 done · 1 failed · 2 wrong usage · 3 blocked, a person must decide · 4 denied or
rejected · 5 expired, cancelled or superseded · 6 not logged in · 7 not reachable · 130 interrupted.
"""

_EXIT_BY_REASON: Final = {
    "CHECKPOINT_REQUIRED": BLOCKED,
    "CHECKPOINT_REJECTED": DENIED,
    "CHECKPOINT_EXPIRED": EXPIRED,
    "CHECKPOINT_CANCELLED": EXPIRED,
    "CHECKPOINT_SUPERSEDED": EXPIRED,
    "RUN_CANCELLED": EXPIRED,
}
_EXIT_BY_CODE: Final = {
    "PERMISSION_DENIED": DENIED,
    "UNAUTHENTICATED": NOT_LOGGED_IN,
    "UNAVAILABLE": UNREACHABLE,
}
_STEP_BY_REASON: Final = {
    "CHECKPOINT_REQUIRED": "chenu inbox",
    "CHECKPOINT_NOT_PENDING": "chenu show {checkpoint_id}",
    "CHECKPOINT_EXPIRED": "ask again with chenu run; what expired is never done",
    "CHECKPOINT_REJECTED": "chenu show {checkpoint_id}",
    "GOVERNANCE_DENIED": "chenu rules",
    "FROZEN": "chenu freezes; chenu unfreeze asks people to lift one",
    "REJECTED_BEFORE": "chenu tombstones list",
    "OUT_OF_SCOPE": "chenu agents list; chenu agents update says anew what one may use",
    "NO_ELIGIBLE_APPROVER": "chenu people list; a role that the rule names is missing",
    "ETAG_MISMATCH": "read it again, then repeat: it has changed since you saw it",
    "FORBIDDEN": "check the id with chenu inbox, chenu runs or chenu threads list",
    "WRONG_CREDENTIALS": "chenu login --email … (it asks for the password)",
    "TOO_MANY_ATTEMPTS": "wait, then log in again",
    "REFRESH_TOKEN_REUSED": "chenu login; if that was not you, change your password",
    "AUDIT_BACKLOG": "chenu doctor, and repeat in a few seconds",
    "RUN_FAILED": "chenu watch {run_id}",
    "RUN_ENDED": "chenu watch {run_id}",
    "URL_REFUSED": "use a public https address, or start the stack with --allow-private HOST:PORT",
    "THREAD_ARCHIVED": "chenu threads reopen {thread_id}",
    "ENDPOINT_DISABLED": "chenu endpoints update ENDPOINT --enable",
    "SYSTEM_AUDITOR_REQUIRED": "ask whoever runs the stack to name you there",
    "LEAF_NOT_COVERED": "wait a second and repeat: the log signs a tree head soon",
    "PROVIDER_NOT_CONFIGURED": "set ANTHROPIC_API_KEY, or start the stack without --live",
    "INVALID_PAGE_TOKEN": "leave --page out to begin at the first page",
    "CALLER_NOT_ALLOWED": "this call takes another kind of token: see chenu token --help",
}
_CAUSES: Final = frozenset({"FROZEN", "REJECTED_BEFORE", "OUT_OF_SCOPE", "NO_ELIGIBLE_APPROVER"})
_STEP_BY_CODE: Final = {
    "UNAUTHENTICATED": "chenu login",
    "UNAVAILABLE": "chenu doctor",
    "INVALID_ARGUMENT": "put that right and repeat; --help says what the command takes",
    "DEADLINE_EXCEEDED": "chenu runs: what was accepted goes on by itself",
    "INTERNAL": "chenu doctor, and the service's log in DIR/logs",
}


class Problem(Exception):
    """A failure that a person can read, with the exit code of the command."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        next_step: str = "",
        exit_code: int = FAILED,
        violations: Mapping[str, str] | None = None,
        block: CheckpointBlock | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.next_step = code, reason, next_step
        self.metadata, self.violations = dict(metadata or {}), dict(violations or {})
        self.exit_code, self.block = exit_code, block

    @property
    def status(self) -> str:
        """The status as the client got it: "FAILED_PRECONDITION · CHECKPOINT_REQUIRED"."""
        return " · ".join(part for part in (self.code, self.reason) if part)

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        document: dict[str, Any] = {
            "code": self.code,
            "reason": self.reason,
            "message": str(self),
            "metadata": self.metadata,
            "next_step": self.next_step,
        }
        if self.violations:
            document["violations"] = self.violations
        if self.block is not None:
            document["block"] = MessageToDict(self.block, preserving_proto_field_name=True)
        return document


class UsageProblem(Problem):
    """The command was not typed as it takes it."""

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message, reason="USAGE", next_step=next_step, exit_code=USAGE)


def problem_of(error: grpc.aio.AioRpcError, where: str = "") -> Problem:
    """What a failed call means; `where` is the address that was called."""
    code = error.code().name
    info = detail(error, ErrorInfo) or ErrorInfo()
    block = block_of(error)
    message = error.details() or "no reason was given"
    if code == "UNAVAILABLE" and not info.reason:
        message = f"cannot reach {where or 'the service'}: {message}"
    metadata = dict(info.metadata)
    return Problem(
        message,
        code=code,
        reason=info.reason,
        metadata=metadata,
        next_step=_next_step(
            code,
            _cause(info.reason, message),
            metadata,
            block,
            detail(error, RetryInfo),
        ),
        exit_code=_EXIT_BY_REASON.get(info.reason) or _EXIT_BY_CODE.get(code, FAILED),
        violations={
            violation.field: violation.description
            for violation in (detail(error, BadRequest) or BadRequest()).field_violations
        },
        block=block,
    )


def _cause(reason: str, message: str) -> str:
    """What denied it besides a rule, such as a freeze: a denial's words begin with it."""
    first = message.partition(":")[0]
    return first if reason == "GOVERNANCE_DENIED" and first in _CAUSES else reason


def _next_step(
    code: str,
    reason: str,
    metadata: Mapping[str, str],
    block: CheckpointBlock | None,
    retry: RetryInfo | None,
) -> str:
    if block is not None and block.checkpoints:
        return f"chenu show {block.checkpoints[0].checkpoint_id}"
    step = _STEP_BY_REASON.get(reason) or _STEP_BY_CODE.get(code, "")
    for name in ("checkpoint_id", "run_id", "thread_id"):
        step = step.replace(f"{{{name}}}", metadata.get(name, name.upper()))
    if retry is not None and retry.retry_delay.ToTimedelta():
        seconds = retry.retry_delay.ToTimedelta().total_seconds()
        return f"repeat in {seconds:g} s" + (f"; {step}" if step else "")
    return step
