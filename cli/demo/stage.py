"""What the demo plays on: a stack of its own, a server outside, and two people."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from cli.connection import Connection
from cli.session_file import SessionFile
from cli.state import State
from deploy.local.choices import Choices
from deploy.local.supervisor import Supervisor
from deploy.local.webhook_receiver import WebhookReceiver


@dataclass(frozen=True)
class Stage:
    """Everything that the story needs."""

    state: State
    receiver: WebhookReceiver

    def person(self, name: str) -> Connection:
        """Calls as a person with a session of their own."""
        return Connection(self.state, SessionFile(self.state.folder / f"{name}.session.json"))

    def demo_user(self) -> dict[str, Any]:
        """Whom the stack has already."""
        user: dict[str, Any] = self.state.endpoints()["demo_user"]
        return user


@contextmanager
def stage(console: Console, *, keep: bool) -> Iterator[Stage]:
    """A stage for as long as the block lasts; no process stays, and no folder unless kept."""
    folder = Path(tempfile.mkdtemp(prefix="chenu-demo-"))
    try:
        with WebhookReceiver() as receiver:
            supervisor = _started(folder, receiver, console)
            try:
                yield Stage(State(folder), receiver)
            finally:
                supervisor.stop()
    finally:
        if keep:
            note = {"kept": str(folder), "start_again": f"chenu up --state {folder}"}
            console.print(Text(json.dumps(note)), soft_wrap=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _started(folder: Path, receiver: WebhookReceiver, console: Console) -> Supervisor:
    choices = Choices(allow_private=(receiver.address,))
    supervisor = Supervisor(folder, 0, choices)
    try:
        with console.status("starting PostgreSQL, NATS and eight services …"):
            supervisor.start()
    except BaseException:
        supervisor.stop()
        raise
    return supervisor
