"""One stack of real processes for every story, started on first use."""

import json
import os
import random
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from deploy.local.choices import Choices
from deploy.local.errors import PortTaken
from deploy.local.ports import ROW
from deploy.local.supervisor import Supervisor
from deploy.local.webhook_receiver import WebhookReceiver
from services.identity.service_keys import make_service_key
from tests.support.collector import Collector, collecting
from tests.support.mails import Mails, posted

CHENU = Path(sysconfig.get_path("scripts")) / "chenu"
TRIES = 3


@dataclass(frozen=True)
class RunningStack:
    """A stack and what is around it: whom its webhooks reach, who collects its traces."""

    folder: Path
    receiver: WebhookReceiver
    supervisor: Supervisor
    collector: Collector
    mails: Mails

    def chenu(self, *arguments: str, text: str | None = None, **environment: str) -> Result:
        """The command, in this process; `--state` is added."""
        return chenu_here(self.folder, *arguments, text=text, **environment)

    def process(self, *arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        """The command as a process of its own."""
        return chenu_process(self.folder, *arguments, **options)

    def address(self, service: str) -> str:
        """Where a service listens."""
        return str(json.loads((self.folder / "endpoints.json").read_text())[service])


def chenu_here(
    folder: Path, *arguments: str, text: str | None = None, **environment: str
) -> Result:
    """`chenu --state folder …` in this process, which is quicker than in one of its own."""
    given = ["--state", str(folder), *arguments]
    return CliRunner().invoke(app, given, input=text, env=environment, catch_exceptions=False)


def chenu_process(
    folder: Path, *arguments: str, **options: Any
) -> "subprocess.CompletedProcess[str]":
    """`chenu --state folder …`, without any setting of the shell's."""
    environment = {name: value for name, value in os.environ.items() if "CHENU" not in name}
    return subprocess.run(
        [CHENU, "--state", folder, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
        env=environment,
        **options,
    )


@contextmanager
def running_stack() -> Iterator[RunningStack]:
    """A stack of its own on free ports, gone afterwards; its webhooks may reach its receiver."""
    with ExitStack() as after:
        folder = Path(after.enter_context(tempfile.TemporaryDirectory(prefix="chenu-stack-")))
        receiver = after.enter_context(WebhookReceiver())
        collector = after.enter_context(collecting())
        traced = {"CHENU_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        mails = after.enter_context(posted())
        choices = Choices(allow_private=(receiver.address,), settings=traced | mails.settings)
        make_service_key(folder / "keys", "letters")  # an executor of somebody's own
        supervisor = _started(folder, choices)
        after.callback(supervisor.stop)
        yield RunningStack(folder, receiver, supervisor, collector, mails)


@pytest.fixture(scope="package")
def stack() -> Iterator[RunningStack]:
    """The stack of the whole run, with its demo user logged in."""
    with running_stack() as running:
        assert running.chenu("login").exit_code == 0
        yield running


@pytest.fixture
def http(stack: RunningStack) -> Iterator[httpx2.Client]:
    """The demo user at the gateway."""
    token = json.loads(stack.chenu("token", "--output", "json").stdout)["token"]
    bearer = {"authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=stack.address("gateway"), headers=bearer, timeout=60) as client:
        yield client


def _started(folder: Path, choices: Choices) -> Supervisor:
    for tries_left in reversed(range(TRIES)):
        # Lower than free ports are looked for: another process may be choosing some by now.
        row = random.randrange(7_000, 9_900, ROW)
        supervisor = Supervisor(folder, row, choices)
        try:
            supervisor.start()
        except Exception as error:
            supervisor.stop()
            taken = isinstance(error, PortTaken) or "is taken" in str(error)
            if not (taken and tries_left):
                raise
        else:
            return supervisor
    raise AssertionError("the last try returns or raises")
