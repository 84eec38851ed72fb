"""Where a call goes. A rule: for Nova a route is a type that cannot hold another provider.

There is no provider field and no fallback to forget: a `ClaudeRoute` is one Claude
model at one accepted host, or it does not come to be.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

PROVIDER: Final = "anthropic"
ANTHROPIC_HOST: Final = "api.anthropic.com"
_CLAUDE: Final = re.compile(r"claude-[a-z0-9.-]{1,80}")


class RouteRefused(ValueError):
    """What was asked for is no route to Claude."""


@dataclass(frozen=True, slots=True)
class ClaudeRoute:
    """One Claude model at Anthropic, or at the simulator that a setting names."""

    model: str
    url: str
    simulator_host: str = ""

    def __post_init__(self) -> None:
        if not is_claude(self.model):
            raise RouteRefused(f"{self.model!r} is no Claude model")
        parts = urlsplit(self.url)
        if self.simulated and parts.scheme == "http":
            return
        if parts.netloc != ANTHROPIC_HOST or parts.scheme != "https":
            raise RouteRefused(f"{self.url!r} is neither Anthropic nor the simulator")

    @property
    def host(self) -> str:
        """The host that is dialled."""
        return urlsplit(self.url).netloc

    @property
    def simulated(self) -> bool:
        """Whether the local simulator answers."""
        return bool(self.simulator_host) and self.host == self.simulator_host


def is_claude(model: str) -> bool:
    """Whether a name is one of Claude's."""
    return _CLAUDE.fullmatch(model) is not None
