"""The words that options take for the enums of the contracts."""

from typing import Any, Final

from chenu.audit.v1.export_pb2 import ExportFormat
from chenu.courier.v1.delivery_pb2 import DeliveryState
from chenu.events.v1.audit_event_pb2 import AuditAction
from chenu.governance.v1.approval_pb2 import RiskClass
from chenu.identity.v1.identity_pb2 import IdentityType
from chenu.nova.v1.run_pb2 import RunMode, RunState
from chenu.threads.v1.thread_event_pb2 import ThreadEventType
from chenu.threads.v1.thread_pb2 import Sphere, ThreadKind, ThreadStatus
from cli.problems import UsageProblem

SPHERES: Final[Any] = Sphere
KINDS: Final[Any] = ThreadKind
STATUSES: Final[Any] = ThreadStatus
EVENT_TYPES: Final[Any] = ThreadEventType
MODES: Final[Any] = RunMode
RUN_STATES: Final[Any] = RunState
DELIVERY_STATES: Final[Any] = DeliveryState
AUDIT_ACTIONS: Final[Any] = AuditAction
RISKS: Final[Any] = RiskClass
EXPORT_FORMATS: Final[Any] = ExportFormat
IDENTITY_TYPES: Final[Any] = IdentityType


def choices(enum: Any) -> list[str]:
    """The words of an enum, its unspecified value left out."""
    prefix = _prefix(enum)
    return [name.removeprefix(prefix).lower() for name in enum.keys()[1:]]


def listed(enum: Any) -> str:
    """The words as a help text lists them."""
    return ", ".join(choices(enum))


def number(enum: Any, typed: str, option: str) -> int:
    """The value for a typed word, in any case, with blanks or dashes; 0 for none."""
    if not typed:
        return 0
    word = typed.strip().lower().replace("-", "_").replace(" ", "_")
    if word not in choices(enum):
        raise UsageProblem(f"{option} knows no {typed!r}; it takes one of: {listed(enum)}")
    return int(enum.Value(_prefix(enum) + word.upper()))


def _prefix(enum: Any) -> str:
    return str(enum.keys()[0]).removesuffix("UNSPECIFIED")
