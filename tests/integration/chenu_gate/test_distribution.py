"""`chenu_gate` as a wheel of its own, and an executor in another process that uses nothing else."""

import asyncio
import json
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest

from chenu.governance.v1.executor_service_pb2 import ExecuteActionRequest, ListToolsRequest
from chenu.governance.v1.executor_service_pb2_grpc import ExecutorServiceStub
from chenu_gate.action import Action, Principal
from chenu_gate.key_sets import keys_at
from chenu_gate.tools import Tool
from tests.support.actions import an_action
from tests.support.governance import StandInGovernance
from tests.support.waiting import soon

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples/letters/executor.py"
# Nothing of the checkout is on the path, whatever is installed for editing: the wheel must do.
ALONE = f"""
import runpy, sys
sys.path[:] = [sys.argv[1]] + [p for p in sys.path if not p.startswith({str(ROOT)!r})
    or p.startswith({str(ROOT / ".venv")!r})]
sys.meta_path[:] = [f for f in sys.meta_path if 'ditable' not in type(f).__name__]
sys.argv[:] = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT / "chenu_gate",
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("chenu_gate-*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_holds_the_gate_its_stubs_and_nothing_of_the_fleet(wheel: Path) -> None:
    assert {path.name for path in wheel.iterdir() if path.is_dir()} >= {"chenu_gate", "chenu"}
    assert {path.name for path in (wheel / "chenu").iterdir()} == {"governance", "events"}
    assert not [name for name in ("kernel", "services", "cli") if (wheel / name).exists()]
    (metadata,) = wheel.glob("*.dist-info/METADATA")
    assert "Name: chenu-gate" in metadata.read_text(encoding="utf-8")


@dataclass
class Letters:
    """The executor's process, and what it stands on."""

    process: asyncio.subprocess.Process
    stub: ExecutorServiceStub
    channel: grpc.aio.Channel
    governance: StandInGovernance
    keys: ThreadingHTTPServer
    outbox: Path
    environment: dict[str, str]
    wheel: Path
    tool: Tool

    def action(self, **changes: Any) -> Action:
        principal = Principal(*(str(uuid4()) for _ in range(3)))
        given: dict[str, Any] = {
            "kind": self.tool.kind,
            "tool": self.tool.pinned,
            "executor": "letters",
            "principal": principal,
            "targets": (),
            "arguments": {"to": "Ada", "text": "Come to tea."},
        }
        return an_action(**given | changes)

    async def execute(self, action: Action, permit: str) -> Any:
        request = ExecuteActionRequest(action=action.canonical(), permit=permit)
        return await self.stub.ExecuteAction(request, timeout=20)

    async def refusal(self, action: Action, permit: str) -> tuple[str, str]:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await self.execute(action, permit)
        return refused.value.code().name, refused.value.details() or ""

    def printed(self) -> list[str]:
        return sorted(path.stem for path in self.outbox.iterdir())

    async def run(self, *arguments: str) -> str:
        done = await alone(self.wheel, self.environment, *arguments)
        out, _ = await done.communicate()
        return out.decode()


async def alone(
    wheel: Path, environment: dict[str, str], *arguments: str
) -> asyncio.subprocess.Process:
    """The example, with the wheel and its dependencies and nothing else of CHE·NU."""
    command = [sys.executable, "-I", "-c", ALONE, str(wheel), str(EXAMPLE), *arguments]
    return await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE
    )


@pytest.fixture
async def letters(wheel: Path, database: str, tmp_path: Path) -> AsyncIterator[Letters]:
    governance = StandInGovernance()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"jwks": json.dumps({"keys": [governance.key.jwk]})}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    keys = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    Thread(target=keys.serve_forever, daemon=True).start()
    connection = await asyncpg.connect(database)
    await connection.execute("DROP SCHEMA IF EXISTS letters CASCADE")
    await connection.close()
    environment = {
        "DATABASE_URL": database,
        "PERMIT_KEYS_URL": f"http://127.0.0.1:{keys.server_port}/permit-keys",
        "OUTBOX": str(tmp_path),
    }
    process = await alone(wheel, environment, "serve", "127.0.0.1:0")
    assert process.stdout is not None
    port = (await process.stdout.readline()).decode().split()[-1]
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
    stub = ExecutorServiceStub(channel)
    (definition,) = (await stub.ListTools(ListToolsRequest())).tools
    tool = Tool.from_definition(definition)
    yield Letters(process, stub, channel, governance, keys, tmp_path, environment, wheel, tool)
    await channel.close()
    if process.returncode is None:
        process.kill()
    await process.wait()
    keys.shutdown()
    keys.server_close()


async def test_row_24_a_signed_permit_is_checked_offline_by_an_executor_anywhere(
    letters: Letters, database: str
) -> None:
    """With governance gone: a stolen row, a forged, a replayed, a re-targeted permit all fail."""
    governance, action = letters.governance, letters.action()
    first = str(uuid4())
    done = await letters.execute(action, governance.permit(action, decision=first))
    letters.keys.shutdown()
    letters.keys.server_close()

    now, minute = datetime.now(UTC), timedelta(minutes=1)
    real = governance.key
    governance.rotate()
    forged = governance.permit(action)
    governance.key = real
    other = replace(action, arguments={"to": "Bob", "text": "Come to tea."})
    stranger = replace(action, principal=Principal(*(str(uuid4()) for _ in range(3))))
    connection = await asyncpg.connect(database)
    (stolen,) = map(dict, await connection.fetch("SELECT * FROM letters.executions"))
    await connection.close()

    assert done.state == 3
    # The row keeps the permit that it was done by, as evidence: it is spent.
    assert (await letters.execute(action, str(stolen["permit"]))).repeated_answer
    # Whoever signs with a key of their own: it is unknown here, and cannot be asked for now.
    assert (await letters.refusal(action, forged))[1] in {"PERMIT_INVALID", "PERMIT_KEYS"}
    kid = governance.permit(action).split(".")
    assert (await letters.refusal(action, ".".join([*kid[:2], forged.split(".")[2]])))[1] == (
        "PERMIT_INVALID"
    )
    for permit, asked, reason in (
        (str(stolen["permit_id"]), action, "PERMIT_INVALID"),
        (governance.permit(action), other, "PERMIT_ACTION"),
        (governance.permit(action), stranger, "PERMIT_ACTION"),
        (governance.permit(action, audience="threads"), action, "PERMIT_AUDIENCE"),
        (governance.permit(action, now=now - minute), action, "PERMIT_EXPIRED"),
        (governance.permit(action, identity=str(uuid4())), action, "PERMIT_IDENTITY"),
    ):
        assert await letters.refusal(asked, permit) == ("PERMISSION_DENIED", reason)
    replayed = await letters.execute(action, governance.permit(action, decision=first))
    assert (replayed.repeated_answer, replayed.result) == (True, done.result)
    retargeted = governance.permit(other, decision=first)
    assert await letters.refusal(other, retargeted) == ("PERMISSION_DENIED", "DECISION_EXECUTED")
    assert letters.printed() == [first]


async def test_row_25_an_unknown_outcome_is_a_state_and_is_never_blindly_tried_again(
    letters: Letters, database: str
) -> None:
    """The process dies after printing: the letter is UNKNOWN until a person has looked."""
    action, decision = letters.action(), str(uuid4())
    dying = await alone(
        letters.wheel, letters.environment | {"CRASH_AFTER_PRINTING": "1"}, "serve", "127.0.0.1:0"
    )
    assert dying.stdout is not None
    port = (await dying.stdout.readline()).decode().split()[-1]
    request = ExecuteActionRequest(
        action=action.canonical(), permit=letters.governance.permit(action, decision=decision)
    )
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await ExecutorServiceStub(channel).ExecuteAction(request)
    await dying.wait()
    connection = await asyncpg.connect(database)
    state = "SELECT state FROM letters.executions WHERE decision_id = $1 AND state = 'UNKNOWN'"

    again = letters.governance.permit(action, decision=decision)
    assert await letters.refusal(action, again) == ("FAILED_PRECONDITION", "OUTCOME_UNKNOWN")
    await soon(lambda: connection.fetchval(state, decision), "it is UNKNOWN")
    again = letters.governance.permit(action, decision=decision)
    assert await letters.refusal(action, again) == ("FAILED_PRECONDITION", "OUTCOME_UNKNOWN")
    assert letters.printed() == [decision]

    assert "SUCCEEDED" in await letters.run("reconcile", decision, "sent")
    told = await letters.execute(action, letters.governance.permit(action, decision=decision))
    assert told.repeated_answer
    assert letters.printed() == [decision]
    await connection.close()


def test_permit_keys_are_fetched_over_http_only() -> None:
    with pytest.raises(ValueError, match="over HTTP"):
        keys_at("file:///etc/passwd")
