"""The folder of a stack, and where in it the command finds what it needs."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.problems import Problem


class NoStack(Problem):
    """No stack runs in the folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"no stack runs in {folder}",
            reason="NO_STACK",
            next_step="chenu up --detach, or name another folder with --state DIR",
        )


@dataclass(frozen=True)
class State:
    """The state folder of one stack."""

    folder: Path

    @property
    def session(self) -> Path:
        """Who is logged in, for its owner's eyes only."""
        return self.folder / "session.json"

    @property
    def pinned_key(self) -> Path:
        """The audit log's verifier key as it was when the stack was made."""
        return self.folder / "log.vkey"

    @property
    def verified_head(self) -> Path:
        """The tree head that was verified last."""
        return self.folder / "log.head"

    @property
    def environment(self) -> Path:
        """The settings that the services of a local stack run with."""
        return self.folder / "environment.json"

    def endpoints(self) -> dict[str, Any]:
        """What endpoints.json says; NoStack where there is none."""
        try:
            endpoints: dict[str, Any] = json.loads((self.folder / "endpoints.json").read_text())
        except FileNotFoundError:
            raise NoStack(self.folder) from None
        except (OSError, ValueError) as error:
            raise Problem(
                f"{self.folder / 'endpoints.json'} cannot be read: {error}",
                reason="STATE_UNREADABLE",
                next_step="chenu down, then chenu up",
            ) from None
        return endpoints

    def address(self, service: str) -> str:
        """`host:port` of a service."""
        address = self.endpoints().get(service)
        if not address:
            words = f"the stack in {self.folder} has no {service} service"
            raise Problem(words, reason="NO_SERVICE", next_step="chenu down, then chenu up")
        return str(address)
