"""What whoever starts a stack may choose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

ANTHROPIC_KEY: Final = "ANTHROPIC_API_KEY"
STREAM_BYTES: Final = "CHENU_NATS_MAX_BYTES"
"""The one setting that `chenu up` takes from the environment: a small disk needs it lower."""


@dataclass(frozen=True, slots=True)
class Choices:
    """How a stack differs from the plain one."""

    live: bool = False
    """Claude answers, with the key in ANTHROPIC_API_KEY, not the simulator."""
    allow_private: Sequence[str] = ()
    """Inner addresses that courier may call all the same."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Further `CHENU_…` variables."""
