"""The command against recorded answers: no service, no socket."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from typer.testing import CliRunner, Result

from cli.connection import Connection
from cli.main import app
from cli.session_file import Session, SessionFile
from kernel.errors import DETAILS_KEY

Answer = Message | Exception | Callable[[Any], Message]
SERVICES = ("identity", "threads", "governance", "audit", "nova", "llm", "courier")
ENDPOINTS = {
    **dict.fromkeys(SERVICES, "127.0.0.1:1"),
    "gateway": "http://127.0.0.1:1",
    "demo_user": {"email": "demo@chenu.example", "password": "demo-password-1"},
}


def rpc_error(code: grpc.StatusCode, message: str, status: Status | None = None) -> Exception:
    """A failed call, with what a service would have put into its trailers."""
    trailers = grpc.aio.Metadata()
    if status is not None:
        trailers.add(DETAILS_KEY, status.SerializeToString())
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers, message)


class Recording:
    """Answers by method name, and what was sent: (method, request, bearer token)."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.sent: list[tuple[str, Any, str]] = []

    def answer(self, method: str, *answers: Answer) -> None:
        """One after the other; the last one stays."""
        self.answers[method] = list(answers)

    def calls(self, method: str) -> list[Any]:
        """The requests that were sent to a method."""
        return [request for name, request, _ in self.sent if name == method]

    def tokens(self, method: str) -> list[str]:
        """The tokens that they were sent with."""
        return [token for name, _, token in self.sent if name == method]

    def unary_unary(self, path: str, **_: Any) -> Any:
        name = path.rpartition("/")[2]

        async def call(request: Any, *, timeout: float | None, metadata: Any = ()) -> Any:
            assert timeout is not None
            token = dict(metadata).get("authorization", "").removeprefix("Bearer ")
            self.sent.append((name, type(request).FromString(request.SerializeToString()), token))
            answers = self.answers[name]
            given = answers.pop(0) if len(answers) > 1 else answers[0]
            if isinstance(given, Exception):
                raise given
            return given if isinstance(given, Message) else given(request)

        return call

    def unary_stream(self, path: str, **_: Any) -> Any:
        name = path.rpartition("/")[2]
        recording = self

        class Call:
            def __init__(self, request: Any, **_: Any) -> None:
                recording.sent.append((name, request, ""))

            async def __aiter__(self) -> Any:
                for answer in recording.answers.get(name, []):
                    if isinstance(answer, Exception):
                        raise answer
                    yield answer

            def cancel(self) -> None:
                """There is nothing to cancel."""

        return Call

    async def close(self) -> None:
        """There is nothing to close."""


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> Recording:
    """What every service answers in this test."""
    made = Recording()
    monkeypatch.setattr(Connection, "bare", lambda _self, _service: made)
    return made


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a stack that somebody is logged in to."""
    monkeypatch.delenv("CHENU_STATE", raising=False)
    (tmp_path / "endpoints.json").write_text(json.dumps(ENDPOINTS))
    SessionFile(tmp_path / "session.json").save(a_session())
    return tmp_path


def a_session(**changes: Any) -> Session:
    """A session that is good for an hour."""
    later = time.time() + 3600
    session = Session(
        email="ada@example.org",
        user_id="01920000-0000-7000-8000-0000000000a1",
        tenant_id="01920000-0000-7000-8000-0000000000a0",
        identity_id="01920000-0000-7000-8000-0000000000a2",
        identity_name="Ada",
        access_token="access-1",
        access_expires=later,
        refresh_token="refresh-1",
        session_secret="s" * 40,
        delegation_token="delegation-1",
        delegation_expires=later,
    )
    for name, value in changes.items():
        setattr(session, name, value)
    return session


@pytest.fixture
def chenu(state: Path, recording: Recording) -> Callable[..., Result]:
    """The command, on that folder, with those answers."""

    def run(*arguments: str, text: str | None = None, **environment: str) -> Result:
        given = ["--state", str(state), *arguments]
        return CliRunner().invoke(app, given, input=text, env=environment, catch_exceptions=False)

    return run
